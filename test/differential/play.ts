/**
 * Plays a scenario on one server.
 */
import { isJsonObject, type JsonObject, type JsonValue, parseJson } from "../../gateway/apimachinery/json.ts";
import type { Asked, Server, Stream, Told } from "./client.ts";
import { ownGroup, type Scenario, type Step } from "./scenario.ts";
import { createSight, type Seen } from "./seen.ts";

/** What a play needs besides the server. */
export interface Part {
  readonly scenario: Scenario;
  /** A word that no other scenario of the run has, and that all servers of the run are given. */
  readonly id: string;
  /** What another server answered: how many events a watch is waited for. */
  readonly like?: readonly Seen[];
}

/** A watch that nothing tells how many events it has is taken as done after this long without one. */
const quietMs = 800;
/** Within this time an event that the other server sent must have come, and what is too much shows. */
const patienceMs = 5_000;
const surplusMs = 60;
const pollMs = 10;
/** For a watch to be where it begins before something changes. */
const headStartMs = 30;

/** Gives the answers, one for each step. */
export async function play(server: Server, { scenario, id, like }: Part): Promise<Seen[]> {
  const variables = new Map([
    ["id", id],
    ["ns", id],
  ]);
  const sight = createSight();
  const answers: (Told | Stream)[] = [];
  for (const step of scenario.steps) {
    const asked = askedOf(step, variables);
    if (step.watch === true) {
      const stream = await server.open(asked);
      answers.push(stream);
      await pause(headStartMs);
    } else {
      const told = await server.ask(asked);
      answers.push(told);
      save(step, told, variables);
    }
  }
  for (const [index, answer] of answers.entries()) {
    if (!("lines" in answer)) continue;
    await settle(answer, like?.[index]);
    answer.close();
  }
  return answers.map((answer, index) => {
    if ("lines" in answer) return sight.seeWatch(answer, answer.lines);
    const { about, isPerhapsNone } = scenario.steps[index] ?? {};
    return sight.see(answer, { about: aboutOf(about), isPerhapsNone });
  });
}

/** Waits until a watch has said all that it will. */
async function settle(stream: Stream, like: Seen | undefined): Promise<void> {
  const wanted = Array.isArray(like?.body) ? like.body.length : undefined;
  let [count, since] = [stream.lines.length, performance.now()];
  const until = since + patienceMs;
  while (!stream.ended && performance.now() < until) {
    if (stream.lines.length !== count) [count, since] = [stream.lines.length, performance.now()];
    const still = performance.now() - since;
    if (wanted === undefined ? still >= quietMs : count >= wanted && still >= surplusMs) return;
    await pause(pollMs);
  }
}

function askedOf(step: Step, variables: ReadonlyMap<string, string>): Asked {
  const fill = (text: string) => text.replaceAll(/<<([\w-]+)>>/g, (all, name) => variables.get(name) ?? all);
  const { body } = step;
  return {
    method: step.method,
    path: fill(step.path).replaceAll("<", "%3C").replaceAll(">", "%3E"),
    headers: Object.fromEntries(Object.entries(step.headers ?? {}).map(([name, value]) => [name, fill(value)])),
    body: body === undefined ? undefined : fill(typeof body === "string" ? body : JSON.stringify(body)),
    as: step.as ?? "admin",
  };
}

function save(step: Step, told: Told, variables: Map<string, string>): void {
  if (step.save === undefined) return;
  let body: JsonValue;
  try {
    body = parseJson(told.body);
  } catch {
    // No JSON, nothing to keep: what follows shows the variable's name.
    return;
  }
  for (const [name, path] of Object.entries(step.save)) {
    let value: JsonValue | undefined = body;
    for (const key of path.split(".")) value = isJsonObject(value) ? value[key] : undefined;
    if (typeof value === "string") variables.set(name, value);
  }
}

/** Documents about all that a server has hold more on one side: only what both were given is looked at. */
function aboutOf(about: Step["about"]): ((body: JsonObject) => JsonValue) | undefined {
  if (about === undefined) return undefined;
  const isOurs = (item: JsonValue) =>
    isJsonObject(item) &&
    String(item["name"] ?? (item["metadata"] as JsonObject | undefined)?.["name"]).includes(ownGroup);
  return (body) => {
    const key = Array.isArray(body["items"]) ? "items" : "groups";
    return Array.isArray(body[key]) ? { ...body, [key]: body[key].filter(isOurs) } : body;
  };
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}
