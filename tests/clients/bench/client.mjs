// Measures prompts of the SDK's client against several endpoints in turns, and prints one JSON object:
// {endpoint: [{p50_us, p99_us, updates_per_s} a round]}.
//   client.mjs '{"endpoints": {"name": {"url": "ws://..."} or {"command": ["agent"]}}, "cwd": "/tmp",
//                "rounds": 5, "prompts": 500, "updates": 20000, "size": 100, "warmup": 500}'
import { spawn } from "node:child_process";
import { Readable, Writable } from "node:stream";
import * as acp from "@agentclientprotocol/sdk";
import { createHttpStream } from "@agentclientprotocol/sdk/experimental/http-client";
import { createWebSocketStream } from "@agentclientprotocol/sdk/experimental/ws-client";
import { WebSocket } from "ws";

function streamTo({ url, command }) {
  if (command) {
    const child = spawn(command[0], command.slice(1), { stdio: ["pipe", "pipe", "ignore"] });
    return acp.ndJsonStream(Writable.toWeb(child.stdin), Readable.toWeb(child.stdout));
  }
  return url.startsWith("ws") ? createWebSocketStream(url, { WebSocket }) : createHttpStream(url);
}

class Session {
  updates = 0;

  static async open(endpoint, cwd) {
    const session = new Session();
    session.connection = acp
      .client({ name: "bench" })
      .onNotification(acp.methods.client.session.update, ({ params }) => {
        if (params.update.sessionUpdate === "agent_message_chunk") session.updates += 1;
      })
      .connect(streamTo(endpoint));
    const { agent } = session.connection;
    await agent.request("initialize", { protocolVersion: acp.PROTOCOL_VERSION, clientCapabilities: {} });
    session.id = (await agent.request("session/new", { cwd, mcpServers: [] })).sessionId;
    return session;
  }

  async prompt(text) {
    const before = this.updates;
    const prompt = [{ type: "text", text }];
    const started = performance.now();
    const { stopReason } = await this.connection.agent.request("session/prompt", { sessionId: this.id, prompt });
    const milliseconds = performance.now() - started;
    if (stopReason !== "end_turn") throw new Error(`the turn ended with ${stopReason}`);
    return { milliseconds, updates: this.updates - before };
  }
}

async function roundTrips(session, count) {
  const times = [];
  for (let number = 0; number < count; number += 1) {
    const { milliseconds, updates } = await session.prompt("ping");
    if (updates !== 1) throw new Error(`${updates} updates instead of 1`);
    times.push(milliseconds * 1000);
  }
  times.sort((one, other) => one - other);
  return { p50_us: times[Math.floor(count * 0.5)], p99_us: times[Math.floor(count * 0.99)] };
}

async function stream(session, count, size) {
  const { milliseconds, updates } = await session.prompt(`/chunks ${count} ${size}`);
  if (updates !== count) throw new Error(`${updates} updates instead of ${count}`);
  return { updates_per_s: count / (milliseconds / 1000) };
}

const plan = JSON.parse(process.argv[2]);
const sessions = {};
const results = {};
for (const [name, endpoint] of Object.entries(plan.endpoints)) {
  sessions[name] = await Session.open(endpoint, plan.cwd);
  results[name] = [];
}
for (const session of Object.values(sessions)) {
  await roundTrips(session, plan.warmup);
  await stream(session, Math.min(plan.updates, 5000), plan.size);
}
for (let round = 0; round < plan.rounds; round += 1) {
  for (const [name, session] of Object.entries(sessions)) {
    // Garbage of the one before is not this one's to pay for.
    globalThis.gc?.();
    results[name].push({
      ...(await roundTrips(session, plan.prompts)), ...(await stream(session, plan.updates, plan.size)),
    });
  }
}
process.stdout.write(JSON.stringify(results) + "\n");
process.exit(0);
