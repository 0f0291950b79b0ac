// The example agent of SDK 1.9.0: a turn of some seconds with a tool call that asks for permission.
import { Client, select, wordsOf } from "../connection.mjs";

export async function example_turns(setting) {
  const choices = ["allow", "reject"];
  const client = await Client.open(setting, { permission: () => select(choices.shift()) });
  const session = await client.newSession();
  const second = await client.newSession();
  const [allowed, rejected] = await Promise.all([
    client.prompt(session.sessionId, "go on"),
    client.prompt(second.sessionId, "go on"),
  ]);
  const asked = client.events.filter((event) => event.kind === "permission").map((event) => event.params);
  return { initialized: client.initialized, session, asked, allowed, rejected };
}

export async function example_cancel(setting) {
  const client = await Client.open(setting);
  const { sessionId } = await client.newSession();
  const turn = client.prompt(sessionId, "go on");
  await client.until((event) => event.update?.sessionUpdate === "tool_call");
  await client.notify("session/cancel", { sessionId });
  const { stopReason, text } = await turn;
  const mode = await client.request("session/set_mode", { sessionId, modeId: "any" });
  const refusal = await client.refusal("session/fork", { sessionId, cwd: client.cwd });
  return { stopReason, text, mode, refusal };
}

// This agent can't load sessions; who serves it may nevertheless.
export async function example_load(setting) {
  const client = await Client.open(setting);
  const { sessionId } = await client.newSession();
  const turn = await client.prompt(sessionId, "go on");
  await client.request("session/close", { sessionId });
  const other = await Client.open(setting);
  await other.request("session/load", { sessionId, cwd: other.cwd, mcpServers: [] });
  await other.replayed(sessionId);
  const replay = other.updates(sessionId);
  const next = await other.prompt(sessionId, "once more");
  const { sessions } = await other.request("session/list", {});
  return {
    loadSession: other.initialized.agentCapabilities?.loadSession, said: turn.text,
    replayed: wordsOf(replay), asked: wordsOf(replay, "user_message_chunk"),
    tools: replay.filter((update) => update.sessionUpdate === "tool_call").length,
    next: next.stopReason, listed: sessions.some((session) => session.sessionId === sessionId),
  };
}
