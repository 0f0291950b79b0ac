// The SDK's own server with a stdio agent behind each connection: what the tests are tried against, and
// what clients meet where no relay is.
//   sdk_server.mjs PORT TOKEN COMMAND [ARGUMENT...]     TOKEN may be empty; prints "ready" when it listens
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { Readable, Writable } from "node:stream";
import { ndJsonStream } from "@agentclientprotocol/sdk";
import { createNodeHttpHandler, createNodeWebSocketUpgradeHandler } from "@agentclientprotocol/sdk/experimental/node";
import { AcpServer } from "@agentclientprotocol/sdk/experimental/server";
import { WebSocketServer } from "ws";

const [port, token, command, ...args] = process.argv.slice(2);

function connect(stream) {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
  child.on("error", (error) => console.error(error.message));
  child.stdin.on("error", () => {});
  const agent = ndJsonStream(Writable.toWeb(child.stdin), Readable.toWeb(child.stdout));
  agent.readable.pipeTo(stream.writable).catch(() => child.kill());
  stream.readable.pipeTo(agent.writable).catch(() => child.kill());
  return { closed: new Promise((resolve) => child.on("exit", () => resolve())) };
}

const server = new AcpServer({ agent: { connect } });
const handle = createNodeHttpHandler(server);
const upgrade = createNodeWebSocketUpgradeHandler(
  server, new WebSocketServer({ noServer: true, maxPayload: 16 * 1024 * 1024 }));
const known = ({ headers }) => token === "" || headers.authorization === `Bearer ${token}`;

createServer((request, response) => {
  if (known(request)) return handle(request, response);
  response.writeHead(401, { "WWW-Authenticate": "Bearer" });
  response.end();
})
  .on("upgrade", (request, socket, head) => {
    if (known(request)) return upgrade(request, socket, head);
    socket.end("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  })
  .listen(Number(port), "127.0.0.1", () => console.log("ready"));
