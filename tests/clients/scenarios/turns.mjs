// What happens within one session of the demo agent on one connection.
import { Client, select } from "../connection.mjs";

export async function initialize(setting) {
  const client = await Client.open(setting);
  return client.initialized;
}

// Words arrive as they are spoken, in order and before the answer.
export async function streaming(setting) {
  const client = await Client.open(setting);
  const session = await client.newSession();
  const first = await client.prompt(session.sessionId, "one two three");
  const many = await client.prompt(session.sessionId, "/chunks 500 40");
  const chunks = many.updates.filter((update) => update.sessionUpdate === "agent_message_chunk");
  const numbers = chunks.map((update) => Number.parseInt(update.content.text, 10));
  const kinds = new Set(client.events.map((event) => event.update?.sessionUpdate ?? event.kind));
  return {
    session, first, stopReason: many.stopReason, count: chunks.length,
    inOrder: numbers.every((number, index) => number === index), kinds: [...kinds],
  };
}

export async function permission(setting) {
  const choices = ["allow", "reject"];
  const client = await Client.open(setting, { permission: () => select(choices.shift()) });
  const { sessionId } = await client.newSession();
  const allowed = await client.prompt(sessionId, "/permission");
  const rejected = await client.prompt(sessionId, "/permission");
  const asked = client.events.filter((event) => event.kind === "permission").map((event) => event.params);
  return { sessionId, asked, allowed, rejected };
}

// The client withdraws a turn that sleeps, and one that waits for a permission.
export async function cancel(setting) {
  let answer;
  const client = await Client.open(setting, {
    permission: () => new Promise((resolve) => { answer = resolve; }),
  });
  const { sessionId } = await client.newSession();
  const asleep = client.prompt(sessionId, "/sleep 600");
  await client.notify("session/cancel", { sessionId });
  const slept = await asleep;
  const waiting = client.prompt(sessionId, "/permission");
  await client.until((event) => event.kind === "permission");
  await client.notify("session/cancel", { sessionId });
  answer({ outcome: { outcome: "cancelled" } });
  const waited = await waiting;
  const next = await client.prompt(sessionId, "still there");
  return { slept: slept.stopReason, waited: waited.stopReason, next };
}

// Cancellation of the request itself, which the SDK sends as $/cancel_request.
export async function cancel_request(setting) {
  const client = await Client.open(setting);
  const { sessionId } = await client.newSession();
  const abort = new AbortController();
  const prompt = [{ type: "text", text: "/sleep 600" }];
  const refused = client.refusal("session/prompt", { sessionId, prompt }, { cancellationSignal: abort.signal });
  // A second message on its way shows that the first has been sent.
  await client.request("session/set_mode", { sessionId, modeId: "code" });
  abort.abort();
  const refusal = await refused;
  return { refusal, next: await client.prompt(sessionId, "still there") };
}

export async function modes(setting) {
  const client = await Client.open(setting);
  const session = await client.newSession();
  const start = client.events.length;
  const { sessionId } = session;
  const result = await client.request("session/set_mode", { sessionId, modeId: "code" });
  const changed = await client.until((event) => event.update?.sessionUpdate === "current_mode_update", start);
  const refusal = await client.refusal("session/set_mode", { sessionId, modeId: "nonsense" });
  const options = await client.request("session/set_config_option", { sessionId, configId: "style", value: "loud" });
  const loud = await client.prompt(sessionId, "loud");
  return { session, result, changed: changed.update, refusal, options, loud };
}

// Requests of the agent with params of their own reach the client, and its answers the agent.
export async function reverse_requests(setting) {
  const client = await Client.open(setting, { request: (method, params) => ({ method, params, big: [1, "two", null] }) });
  const { sessionId } = await client.newSession();
  const turn = await client.prompt(sessionId, '/call _demo/ask {"sessionId":"$SESSION","question":"\\u00e9?"}');
  const asked = client.events.find((event) => event.kind === "request");
  const refused = await Client.open(setting);
  const other = await refused.newSession();
  const refusal = await refused.prompt(other.sessionId, '/call _demo/ask {"sessionId":"$SESSION"}');
  return { sessionId, turn, asked, refusal };
}

// An extension's request and its answer go through as they are.
export async function extension(setting) {
  const client = await Client.open(setting);
  const { sessionId } = await client.newSession();
  const params = { sessionId, list: [1, 2.5, -0, "é\u2028"], nested: { sessionId }, _meta: { traceparent: "00-1-2-01" } };
  const echoed = await client.request("_demo/echo", params);
  const unknown = await client.refusal("_demo/nothing", { sessionId });
  await client.notify("_demo/news", { sessionId });
  return { same: JSON.stringify(echoed) === JSON.stringify(params), unknown, next: await client.prompt(sessionId, "on") };
}

// Two prompts at once on a session: both are served, one after the other.
export async function queued_prompts(setting) {
  const client = await Client.open(setting);
  const { sessionId } = await client.newSession();
  const order = [];
  const turn = (text) => client.prompt(sessionId, text).then((done) => { order.push(text); return done.stopReason; });
  const reasons = await Promise.all([turn("/sleep 0.2"), turn("second")]);
  return { order, reasons };
}

// A prompt larger than a usual message limit, and an answer of that size.
export async function large(setting) {
  const client = await Client.open(setting);
  const { sessionId } = await client.newSession();
  const data = "A".repeat(setting.megabytes * 1024 * 1024);
  const prompt = [{ type: "image", mimeType: "image/png", data }, { type: "text", text: "seen" }];
  const start = client.events.length;
  const { stopReason } = await client.request("session/prompt", { sessionId, prompt });
  const words = client.updates(sessionId, start);
  const huge = await client.prompt(sessionId, `/huge ${setting.megabytes * 1024 * 1024}`);
  return { stopReason, said: words.map((update) => update.content?.text), huge: huge.text.length };
}
