// Sessions that outlive the connection they were made on.
import { Client, wordsOf } from "../connection.mjs";

// A connection with a session that has had one turn.
async function told(setting, text) {
  const client = await Client.open(setting);
  const { sessionId } = await client.newSession();
  await client.prompt(sessionId, text);
  return { client, sessionId };
}

function conversation(updates) {
  return { user: wordsOf(updates, "user_message_chunk"), agent: wordsOf(updates) };
}

async function reopen(client, method, sessionId) {
  const start = client.events.length;
  const result = await client.request(method, { sessionId, cwd: client.cwd, mcpServers: [] });
  await client.replayed(sessionId);
  const before = conversation(client.updates(sessionId, start));
  const next = await client.prompt(sessionId, "back again");
  const after = conversation(client.updates(sessionId, start));
  return { result, before, next, after };
}

export async function load_live(setting) {
  const { sessionId } = await told(setting, "remember me");
  return await reopen(await Client.open(setting), "session/load", sessionId);
}

export async function resume_live(setting) {
  const { sessionId } = await told(setting, "remember me");
  return await reopen(await Client.open(setting), "session/resume", sessionId);
}

export async function load_closed(setting) {
  const { client, sessionId } = await told(setting, "remember me");
  const closed = await client.request("session/close", { sessionId });
  return { closed, ...(await reopen(await Client.open(setting), "session/load", sessionId)) };
}

export async function resume_closed(setting) {
  const { client, sessionId } = await told(setting, "remember me");
  const closed = await client.request("session/close", { sessionId });
  return { closed, ...(await reopen(await Client.open(setting), "session/resume", sessionId)) };
}

// On the very connection that closed it.
export async function load_here_after_close(setting) {
  const { client, sessionId } = await told(setting, "remember me");
  await client.request("session/close", { sessionId });
  return await reopen(client, "session/load", sessionId);
}

// In two runs, with something in between that the caller arranges: `leave` makes a session, `come_back`
// uses setting.session.
export async function leave(setting) {
  const { sessionId } = await told(setting, "remember me");
  return { sessionId };
}

export async function come_back(setting) {
  const client = await Client.open(setting);
  const { sessions } = await client.request("session/list", {});
  return { sessions, ...(await reopen(client, setting.method, setting.session)) };
}

export async function load_unknown(setting) {
  const client = await Client.open(setting);
  const unknown = { sessionId: "sess_0123456789abcdef0123456789abcdef", cwd: client.cwd, mcpServers: [] };
  const refusals = {};
  for (const method of ["session/load", "session/resume"]) refusals[method] = await client.refusal(method, unknown);
  return { refusals, next: await client.newSession() };
}

export async function list(setting) {
  const client = await Client.open(setting);
  const first = await client.newSession();
  await client.prompt(first.sessionId, "hello");
  const second = await client.newSession();
  const all = await client.request("session/list", {});
  const here = await client.request("session/list", { cwd: client.cwd });
  const elsewhere = await client.request("session/list", { cwd: "/nowhere/at/all" });
  const refusal = await client.refusal("session/list", { cursor: "not one of ours" });
  return { first: first.sessionId, second: second.sessionId, all, here, elsewhere, refusal };
}

// Page after page, each session comes once; setting.count are made.
export async function list_pages(setting) {
  const client = await Client.open(setting);
  const made = [];
  for (let number = 0; number < setting.count; number += 1) {
    const { sessionId } = await client.newSession();
    await client.request("session/close", { sessionId });
    made.push(sessionId);
  }
  const pages = [];
  let cursor;
  do {
    const page = await client.request("session/list", cursor === undefined ? {} : { cursor });
    pages.push(page.sessions.map((session) => session.sessionId));
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined && pages.length < 100);
  return { made, pages };
}

export async function close_and_delete(setting) {
  const client = await Client.open(setting);
  const { sessionId } = await client.newSession();
  const closed = await client.request("session/close", { sessionId });
  const afterClose = await client.refusal("session/prompt", { sessionId, prompt: [{ type: "text", text: "hello?" }] });
  const listed = await client.request("session/list", {});
  const deleted = await client.request("session/delete", { sessionId });
  const again = await client.request("session/delete", { sessionId });
  const left = await client.request("session/list", {});
  const afterDelete = await client.refusal("session/load", { sessionId, cwd: client.cwd, mcpServers: [] });
  const has = ({ sessions }) => sessions.some((session) => session.sessionId === sessionId);
  return { closed, afterClose, deleted, again, listed: has(listed), left: has(left), afterDelete };
}

// A client vanishes in mid-turn without a word; the turn ends without it and is in the replay.
export async function drop_in_mid_turn(setting) {
  const { client, sessionId } = await told(setting, "first");
  const turn = client.request("session/prompt", { sessionId, prompt: [{ type: "text", text: "/sleep 0.3" }] });
  turn.catch(() => {});
  // The answer to a later request shows that the prompt has arrived.
  await client.request("session/set_mode", { sessionId, modeId: "code" });
  await client.close();
  return await reopen(await Client.open(setting), "session/load", sessionId);
}
