#!/bin/sh
# An ACP agent for tests: a prompt is a shell script in base64, its output comes back in base64. It has
# nothing but busybox, so it shows what any program in its container could do. A script that writes a number
# to /tmp/end ends the agent with that code, without an answer.
field() { printf '%s\n' "$line" | sed -n "s/.*\"$1\" *: *\(\"[^\"]*\"\|[0-9][0-9]*\).*/\1/p"; }
result() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$(field id)" "$1"; }

while IFS= read -r line; do
  case $line in
    *'"initialize"'*) result '{"protocolVersion":1,"agentCapabilities":{}}' ;;
    *'"session/new"'*) result '{"sessionId":"shell"}' ;;
    *'"session/prompt"'*)
      script=$(field text | tr -d '"' | base64 -d)
      output=$( (sh -c "$script" 2>&1; echo "exit $?") </dev/null | base64 | tr -d '\n')
      [ ! -e /tmp/end ] || exit "$(cat /tmp/end)"
      printf '{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"shell","update":{"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":"%s"}}}}\n' "$output"
      result '{"stopReason":"end_turn"}'
      ;;
    *'"id"'*) result '{}' ;;
  esac
done
