// The SDK's own server with an agent inside it that does what the demo agent does for the benchmark:
// echoes words, and /chunks N SIZE.    server.mjs PORT
import { createServer } from "node:http";
import * as acp from "@agentclientprotocol/sdk";
import { createNodeHttpHandler, createNodeWebSocketUpgradeHandler } from "@agentclientprotocol/sdk/experimental/node";
import { AcpServer } from "@agentclientprotocol/sdk/experimental/server";
import { WebSocketServer } from "ws";

function* chunksOf(text) {
  const [command, count, size] = text.split(" ");
  if (command !== "/chunks") {
    yield* text.match(/\S+\s*/g) ?? [];
    return;
  }
  for (let number = 0; number < Number(count); number += 1) yield `${number} `.padEnd(Number(size), "x");
}

async function prompt({ params, client }) {
  const { sessionId } = params;
  for (const text of chunksOf(params.prompt[0].text)) {
    const update = { sessionUpdate: "agent_message_chunk", content: { type: "text", text } };
    await client.notify(acp.methods.client.session.update, { sessionId, update });
  }
  return { stopReason: "end_turn" };
}

const createAgent = () =>
  acp
    .agent({ name: "bench-agent" })
    .onRequest("initialize", () => ({ protocolVersion: acp.PROTOCOL_VERSION, agentCapabilities: {} }))
    .onRequest("session/new", () => ({ sessionId: crypto.randomUUID() }))
    .onRequest("session/prompt", prompt);

const server = new AcpServer({ createAgent });
createServer(createNodeHttpHandler(server))
  .on("upgrade", createNodeWebSocketUpgradeHandler(
    server, new WebSocketServer({ noServer: true, maxPayload: 16 * 1024 * 1024 })))
  .listen(Number(process.argv[2]), "127.0.0.1");
