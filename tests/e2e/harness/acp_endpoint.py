"""Where /acp is: both transports are served on both ports."""
TRANSPORTS = ("http", "ws")


def acp_url(relay, transport, port=None, path="/acp"):
    """`transport` is http or ws; `port` is http_port or websocket_port, by default the transport's own."""
    port = port or {"http": "http_port", "ws": "websocket_port"}[transport]
    secure = "s" if relay.config["server"].get("tls") else ""
    return f"{transport}{secure}://127.0.0.1:{relay.config['server'][port]}{path}"
