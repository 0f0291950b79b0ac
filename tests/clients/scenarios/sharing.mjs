// Several sessions on one connection, several clients on one session.
import { Client, select } from "../connection.mjs";

export async function two_sessions(setting) {
  const client = await Client.open(setting);
  const [one, two] = [await client.newSession(), await client.newSession()];
  const [first, second] = await Promise.all([
    client.prompt(one.sessionId, "/chunks 200 20"),
    client.prompt(two.sessionId, "only for the second"),
  ]);
  const size = (turn) => turn.updates.filter((update) => update.sessionUpdate === "agent_message_chunk").length;
  return {
    distinct: one.sessionId !== two.sessionId, first: size(first), second: second.text,
    firstHasSecond: first.text.includes("only"), secondHasFirst: second.text.includes("x"),
  };
}

// Both attach by session/resume; `second` watches a turn of `first` and then has one of its own.
export async function two_clients(setting) {
  const first = await Client.open(setting);
  const { sessionId } = await first.newSession();
  const second = await Client.open(setting);
  await second.request("session/resume", { sessionId, cwd: second.cwd, mcpServers: [] });
  const start = second.events.length;
  const turn = await first.prompt(sessionId, "hello both");
  await second.until((event) => event.kind === "notification" && event.method.endsWith("turn_complete"), start);
  const seen = second.updates(sessionId, start);
  const mine = await second.prompt(sessionId, "now me");
  const echoed = await first.until(
    (event) => event.update?.sessionUpdate === "user_message_chunk" && event.update.content.text === "now me");
  return { turn, seen, mine, echoed: echoed.update };
}

// The one that did not prompt answers; the other's copy is withdrawn.
export async function first_answer_wins(setting) {
  const never = () => new Promise(() => {});
  const asking = await Client.open(setting, { permission: never });
  const { sessionId } = await asking.newSession();
  const other = await Client.open(setting, { permission: () => select("reject") });
  await other.request("session/resume", { sessionId, cwd: other.cwd, mcpServers: [] });
  const turn = await asking.prompt(sessionId, "/permission");
  await asking.until((event) => event.kind === "withdrawn");
  const kinds = (client) => client.events.map((event) => event.kind).filter((kind) => kind !== "update");
  return { text: turn.text, asking: kinds(asking), other: kinds(other) };
}

// A client that comes while a permission request waits is asked as well.
export async function late_joiner_is_asked(setting) {
  const first = await Client.open(setting, { permission: () => new Promise(() => {}) });
  const { sessionId } = await first.newSession();
  const turn = first.prompt(sessionId, "/permission");
  await first.until((event) => event.kind === "permission");
  const late = await Client.open(setting, { permission: () => select("allow") });
  await late.request("session/resume", { sessionId, cwd: late.cwd, mcpServers: [] });
  return { text: (await turn).text };
}

// Many connections with a session each, all at once.
export async function crowd(setting) {
  const one = async (number) => {
    const client = await Client.open(setting);
    const { sessionId } = await client.newSession();
    const turn = await client.prompt(sessionId, `number ${number}`);
    await client.close();
    return turn.text === `number ${number}`;
  };
  return { all: (await Promise.all(Array.from({ length: setting.count }, (_, number) => one(number)))) };
}
