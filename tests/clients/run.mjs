// Runs scenarios of the official SDK's client and prints what happened, one JSON object a line.
//   run.mjs '{"url": "ws://127.0.0.1:8081/acp", "cwd": "/tmp"}' SCENARIO...
// Further settings: token, seconds (for each scenario), and what single scenarios ask for.
// Ends with 1 when a scenario could not be played to its end; what the facts mean is for the caller.
import { readFileSync } from "node:fs";
import { describe } from "./connection.mjs";
import * as errors from "./scenarios/errors.mjs";
import * as examples from "./scenarios/examples.mjs";
import * as sessions from "./scenarios/sessions.mjs";
import * as sharing from "./scenarios/sharing.mjs";
import * as turns from "./scenarios/turns.mjs";

const scenarios = { ...turns, ...sessions, ...sharing, ...errors, ...examples };

function versionOf(name) {
  return JSON.parse(readFileSync(new URL(`./node_modules/${name}/package.json`, import.meta.url), "utf8")).version;
}

function print(value) {
  process.stdout.write(JSON.stringify(value) + "\n");
}

function deadline(seconds) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${seconds} s`)), seconds * 1000);
  });
  return { late, stop: () => clearTimeout(timer) };
}

async function play(name, settings) {
  const opened = [];
  const { late, stop } = deadline(settings.seconds ?? 30);
  const started = performance.now();
  try {
    if (!scenarios[name]) throw new Error(`there is no scenario ${name}`);
    const facts = await Promise.race([scenarios[name]({ ...settings, opened }), late]);
    print({ scenario: name, milliseconds: Math.round(performance.now() - started), facts });
    return true;
  } catch (error) {
    const last = opened.map((client) => client.events.slice(-10));
    print({ scenario: name, failure: { ...describe(error), stack: error?.stack }, last });
    return false;
  } finally {
    stop();
    await Promise.allSettled(opened.map((client) => client.close()));
  }
}

const [settingsText, ...names] = process.argv.slice(2);
if (settingsText === undefined) {
  print(Object.keys(scenarios));
  process.exit(0);
}
// The SDK reports a connection that ended elsewhere as well; a scenario that minds says so itself.
process.on("unhandledRejection", (error) => console.error("unhandled:", error?.message ?? error));
print({ versions: { node: process.version, sdk: versionOf("@agentclientprotocol/sdk"), ws: versionOf("ws") } });
let code = 0;
for (const name of names) {
  if (!(await play(name, JSON.parse(settingsText)))) code = 1;
}
process.exit(code);
