// One connection of the official SDK to an ACP endpoint, which keeps all that comes in, in order.
import * as acp from "@agentclientprotocol/sdk";
import { createHttpStream } from "@agentclientprotocol/sdk/experimental/http-client";
import { createWebSocketStream } from "@agentclientprotocol/sdk/experimental/ws-client";
import { WebSocket } from "ws";

function streamTo(url, headers) {
  return url.startsWith("ws")
    ? createWebSocketStream(url, { WebSocket, headers })
    : createHttpStream(url, { headers });
}

export function describe(error) {
  return { name: error?.name, code: error?.code, message: error?.message ?? String(error), data: error?.data };
}

export class Client {
  // {kind: "update" | "permission" | "request" | "notification" | "withdrawn", ...} as they came.
  events = [];
  #waiting = [];

  // `answers.permission(params, signal)` and `answers.request(method, params, signal)` answer the agent.
  constructor(setting, answers = {}) {
    const headers = setting.token ? { Authorization: `Bearer ${setting.token}` } : {};
    this.cwd = setting.cwd;
    this.overHttp = setting.url.startsWith("http");
    this.stream = streamTo(setting.url, headers);
    this.connection = acp
      .client({ name: "acp-relay-tests" })
      .onRequest(acp.methods.client.session.requestPermission, async ({ params, signal }) => {
        this.#record({ kind: "permission", params });
        signal.addEventListener("abort", () => this.#record({ kind: "withdrawn", params }));
        const answer = answers.permission ?? (() => select("allow"));
        return await answer(params, signal);
      })
      .onRequest("*", async ({ method, params, signal }) => {
        this.#record({ kind: "request", method, params });
        if (!answers.request) throw acp.RequestError.methodNotFound(method);
        return await answers.request(method, params, signal);
      })
      .onNotification(acp.methods.client.session.update, ({ params }) => {
        this.#record({ kind: "update", sessionId: params.sessionId, update: params.update });
      })
      .onNotification("*", ({ method, params }) => this.#record({ kind: "notification", method, params }))
      .connect(this.stream);
    this.agent = this.connection.agent;
  }

  static async open(setting, answers, capabilities = {}) {
    const client = new Client(setting, answers);
    setting.opened?.push(client);
    client.initialized = await client.request("initialize", {
      protocolVersion: acp.PROTOCOL_VERSION,
      clientCapabilities: capabilities,
      clientInfo: { name: "acp-relay-tests", version: "1" },
    });
    return client;
  }

  #record(event) {
    this.events.push(event);
    for (const check of [...this.#waiting]) check();
  }

  request(method, params, options) {
    return this.agent.request(method, params, options);
  }

  notify(method, params) {
    return this.agent.notify(method, params);
  }

  // What a request is refused with; an answer is a failure.
  async refusal(method, params, options) {
    let result;
    try {
      result = await this.agent.request(method, params, options);
    } catch (error) {
      return describe(error);
    }
    throw new Error(`${method} was answered with ${JSON.stringify(result)}`);
  }

  // The first event from number `start` on that `predicate` likes.
  until(predicate, start = 0) {
    return new Promise((resolve) => {
      const check = () => {
        const found = this.events.slice(start).find(predicate);
        if (found === undefined) return;
        this.#waiting = this.#waiting.filter((other) => other !== check);
        resolve(found);
      };
      this.#waiting.push(check);
      check();
    });
  }

  // Over HTTP a replay and the answer behind it come on two sockets, of which either may be read first.
  // What is asked next is answered on the replay's.
  async replayed(sessionId) {
    if (this.overHttp) await this.refusal("_tests/nothing", { sessionId });
  }

  async newSession(params = {}) {
    return await this.request("session/new", { cwd: this.cwd, mcpServers: [], ...params });
  }

  // A turn: its stop reason, the agent's words, and the updates that came before the answer.
  async prompt(sessionId, text, options) {
    const start = this.events.length;
    const { stopReason } = await this.request("session/prompt", { sessionId, prompt: [{ type: "text", text }] }, options);
    const updates = this.updates(sessionId, start);
    return { stopReason, text: wordsOf(updates), updates };
  }

  updates(sessionId, start = 0) {
    return this.events
      .slice(start)
      .filter((event) => event.kind === "update" && event.sessionId === sessionId)
      .map((event) => event.update);
  }

  async close() {
    this.connection.close();
    await this.connection.closed;
  }
}

export function select(optionId) {
  return { outcome: { outcome: "selected", optionId } };
}

export function wordsOf(updates, kind = "agent_message_chunk") {
  return updates
    .filter((update) => update.sessionUpdate === kind)
    .map((update) => update.content.text)
    .join("");
}
