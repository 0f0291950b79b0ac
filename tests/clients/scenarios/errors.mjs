// Refusals: of the agent, passed through, and of the relay.
import { Client, describe } from "../connection.mjs";

export async function agent_errors(setting) {
  const client = await Client.open(setting);
  const { sessionId } = await client.newSession();
  const unknownMethod = await client.refusal("session/nothing_like_it", { sessionId });
  const badParams = await client.refusal("session/prompt", { sessionId, prompt: "not an array" });
  const badMode = await client.refusal("session/set_mode", { sessionId, modeId: 5 });
  return { unknownMethod, badParams, badMode, next: await client.prompt(sessionId, "fine") };
}

// For the demo agent with --require-auth: an agent that is not logged in says so itself.
export async function authentication(setting) {
  const client = await Client.open(setting);
  const refusal = await client.refusal("session/new", { cwd: client.cwd, mcpServers: [] });
  const badMethod = await client.refusal("authenticate", { methodId: "nonsense" });
  const authenticated = await client.request("authenticate", { methodId: "demo" });
  const first = await client.newSession();
  const second = await client.newSession();
  const turns = [];
  for (const { sessionId } of [first, second]) turns.push((await client.prompt(sessionId, "in")).text);
  return { methods: client.initialized.authMethods, refusal, badMethod, authenticated, turns };
}

// The agent ends in mid-turn: the prompt is answered with an error and the connection goes on.
export async function agent_exits(setting) {
  const client = await Client.open(setting);
  const { sessionId } = await client.newSession();
  const prompt = [{ type: "text", text: "/exit 7" }];
  const refusal = await client.refusal("session/prompt", { sessionId, prompt });
  const next = await client.newSession();
  return { refusal, next: await client.prompt(next.sessionId, "another one") };
}

// An agent that cannot be started: the SDK gets an error it can show, not a broken connection.
export async function broken_agent(setting) {
  try {
    const client = await Client.open(setting);
    return { initialized: client.initialized, refusal: await client.refusal("session/new", { cwd: client.cwd, mcpServers: [] }) };
  } catch (error) {
    return { refusal: describe(error) };
  }
}

// Without a valid token nothing is served.
export async function unauthorized(setting) {
  const attempts = {};
  for (const [name, token] of [["none", undefined], ["wrong", "not-the-token"]]) {
    try {
      await Client.open({ ...setting, token });
      attempts[name] = "served";
    } catch (error) {
      attempts[name] = describe(error);
    }
  }
  const client = await Client.open(setting);
  return { attempts, right: client.initialized.protocolVersion };
}

// A session of another principal is as good as none; setting.other is their token.
export async function others_session(setting) {
  const mine = await Client.open(setting);
  const { sessionId } = await mine.newSession();
  const theirs = await Client.open({ ...setting, token: setting.other });
  const again = { sessionId, cwd: theirs.cwd, mcpServers: [] };
  const refusals = {
    load: await theirs.refusal("session/load", again),
    resume: await theirs.refusal("session/resume", again),
    prompt: await theirs.refusal("session/prompt", { sessionId, prompt: [{ type: "text", text: "hello" }] }),
  };
  const deleted = await theirs.request("session/delete", { sessionId });
  const { sessions } = await theirs.request("session/list", {});
  return { refusals, deleted, sessions, mine: await mine.prompt(sessionId, "still mine") };
}
