"""Texts that are no messages a relay may carry: (name, text, JSON-RPC code)."""

DEEP = '{"jsonrpc":"2.0","id":5,"method":"session/list","params":{"a":' + "[" * 600 + "]" * 600 + "}}"

REFUSED = [
    ("cut-off JSON", '{"jsonrpc":"2.0","id":1,"method":"session/li', -32700),
    ("nothing", "", -32700),
    ("no JSON", "hello", -32700),
    ("two messages", '{"jsonrpc":"2.0","id":1,"method":"a"}{"jsonrpc":"2.0","id":2,"method":"a"}', -32700),
    ("a bad escape", '{"jsonrpc":"2.0","id":1,"method":"session/list","params":{"a":"\\x"}}', -32700),
    ("a control character", '{"jsonrpc":"2.0","id":1,"method":"session/list","params":{"a":"\t"}}', -32700),
    ("a leading zero", '{"jsonrpc":"2.0","id":01,"method":"session/list"}', -32700),
    ("an empty object", "{}", -32600),
    ("a number", "42", -32600),
    ("null", "null", -32600),
    ("a string", '"session/list"', -32600),
    ("an empty batch", "[]", -32600),
    ("a batch", '[{"jsonrpc":"2.0","id":1,"method":"session/list"}]', -32600),
    ("no version", '{"id":1,"method":"session/list"}', -32600),
    ("another version", '{"jsonrpc":"1.0","id":1,"method":"session/list"}', -32600),
    ("a numeric version", '{"jsonrpc":2.0,"id":1,"method":"session/list"}', -32600),
    ("an object as id", '{"jsonrpc":"2.0","id":{},"method":"session/list"}', -32600),
    ("an array as id", '{"jsonrpc":"2.0","id":[1],"method":"session/list"}', -32600),
    ("true as id", '{"jsonrpc":"2.0","id":true,"method":"session/list"}', -32600),
    ("an endless id", '{"jsonrpc":"2.0","id":"%s","method":"session/list"}' % ("x" * 5000), -32600),
    ("a number as method", '{"jsonrpc":"2.0","id":1,"method":42}', -32600),
    ("neither method nor answer", '{"jsonrpc":"2.0","id":1}', -32600),
    ("result and error", '{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":"x"}}', -32600),
    ("two ids", '{"jsonrpc":"2.0","id":1,"id":2,"method":"session/list"}', -32600),
    ("two methods", '{"jsonrpc":"2.0","id":1,"method":"session/list","method":"session/new"}', -32600),
    ("two params", '{"jsonrpc":"2.0","id":1,"method":"session/list","params":{},"params":{}}', -32600),
    ("a key spelled with an escape", '{"jsonrpc":"2.0","id":1,"i\\u0064":2,"method":"session/list"}', -32600),
    ("more than 512 levels", DEEP, -32600),
]
