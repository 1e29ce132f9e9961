/**
 * A server whose answers are spoiled on their way, and faults to spoil them with: what the comparison
 * must not miss.
 *
 * Each fault has a scenario that shows it, and that leaves nothing behind, so that it can be played
 * again. Played without the fault it is one of the recorded ones.
 */
import type { Server, Stream, Told } from "./client.ts";
import { gear, gears, get, patch, post, put, remove, type Scenario, type Step, saveAll, watch } from "./scenario.ts";

/** What a fault does to answers; those that it isn't about pass. */
export interface Spoiler {
  readonly told?: (told: Told) => Told;
  readonly lines?: (lines: readonly string[]) => readonly string[];
}

/** A fault and where it shows. */
export interface PlantedFault {
  readonly name: string;
  readonly scenario: Scenario;
  readonly spoil: Spoiler;
}

/** Gives a server that answers like another one, but for the fault. */
export function tampering(server: Server, spoil: Spoiler): Server {
  const { told = (same) => same, lines = (same) => same } = spoil;
  return {
    ask: async (asked) => told(await server.ask(asked)),
    async open(asked) {
      const stream = await server.open(asked);
      return new Proxy<Stream>(stream, {
        get: (target, key) => (key === "lines" ? lines(target.lines) : Reflect.get(target, key)),
      });
    },
    close: () => server.close(),
  };
}

const scenario = (...steps: readonly Step[]): Scenario => ({ family: "planted", steps: [...steps, remove(gears)] });
const header = (name: string, change: (values: readonly string[]) => readonly string[] | undefined): Spoiler => ({
  told: (told) => {
    const { [name]: values, ...others } = told.headers;
    const changed = values === undefined ? undefined : change(values);
    return { ...told, headers: changed === undefined ? others : { ...others, [name]: changed } };
  },
});
const text = (from: string | RegExp, to: string): Spoiler => ({
  told: (told) => ({ ...told, body: told.body.replace(from, to) }),
});
const create = post(gears, gear("a", { color: "red", count: 1 }), { save: saveAll });
const watched = scenario(
  watch(`${gears}?watch=true&resourceVersion=0`),
  create,
  patch(`${gears}/a`, "merge", { spec: { count: 2 } }),
  post(gears, gear("b", { color: "blue" })),
);

/** Ten and a few: a status, messages, headers, bodies, owners, events. */
export const plantedFaults: readonly PlantedFault[] = [
  {
    name: "another status code",
    scenario: scenario(create, get(gears)),
    spoil: { told: (told) => (told.status === 201 ? { ...told, status: 200 } : told) },
  },
  {
    name: "a word of a message",
    scenario: scenario(get(`${gears}/none`)),
    spoil: text("not found", "is missing"),
  },
  {
    name: "a revision that grows though nothing changed",
    scenario: scenario(create, patch(`${gears}/a`, "merge", {})),
    spoil: (() => {
      let seen = 0;
      return {
        told: (told: Told) =>
          told.body.includes('"kind":"Gear"') && ++seen === 2
            ? { ...told, body: told.body.replace(/("resourceVersion":")(\d+)/, "$19$2") }
            : told,
      };
    })(),
  },
  {
    name: "a parameter of the Content-Type",
    scenario: scenario(get(gears)),
    spoil: header("content-type", ([value]) => [`${value}; charset=utf-8`]),
  },
  {
    name: "a warning that is gone",
    scenario: scenario(post(gears, gear("a", { color: "red", strange: 1 }))),
    spoil: header("warning", () => undefined),
  },
  {
    name: "a Retry-After that is gone",
    scenario: scenario(create, get(`${gears}/a?resourceVersion=999999999`)),
    spoil: header("retry-after", () => undefined),
  },
  {
    name: "a field's value",
    scenario: scenario(create, get(`${gears}/a`)),
    spoil: text('"color":"red"', '"color":"blue"'),
  },
  { name: "a number's text", scenario: scenario(create, get(`${gears}/a`)), spoil: text('"count":1', '"count":1.0') },
  { name: "a field that is gone", scenario: scenario(create, get(`${gears}/a`)), spoil: text('"generation":1,', "") },
  {
    name: "an owner's name",
    scenario: scenario(create, get(`${gears}/a`)),
    spoil: text('"manager":"differential"', '"manager":"other"'),
  },
  {
    name: "a field that nobody owns",
    scenario: scenario(create, get(`${gears}/a`)),
    spoil: text('"f:color":{},', ""),
  },
  {
    name: "owners in another order",
    scenario: scenario(create, patch(`${gears}/a?fieldManager=z`, "apply", gear("a", { color: "red" }))),
    spoil: {
      told: (told) => {
        const body = told.body.startsWith("{") ? JSON.parse(told.body) : {};
        body.metadata?.managedFields?.reverse();
        return { ...told, body: `${JSON.stringify(body)}\n` };
      },
    },
  },
  { name: "an answer's newline", scenario: scenario(create, get(`${gears}/a`)), spoil: text(/\n$/, "") },
  {
    name: "a cause's reason",
    scenario: scenario(post(gears, gear("a", { color: "pink" }))),
    spoil: text("FieldValueNotSupported", "FieldValueInvalid"),
  },
  {
    name: "an item of a list",
    scenario: scenario(create, post(gears, gear("b")), get(gears)),
    spoil: text(/\{"apiVersion":"[^"]*","kind":"Gear",[^\n]*?\},(?=\{"apiVersion")/, ""),
  },
  {
    name: "two events in the other order",
    scenario: watched,
    spoil: { lines: (lines) => [...lines.slice(1, 2), ...lines.slice(0, 1), ...lines.slice(2)] },
  },
  { name: "an event that is missing", scenario: watched, spoil: { lines: (lines) => lines.slice(1) } },
  {
    name: "an event that comes twice",
    scenario: watched,
    spoil: { lines: (lines) => [...lines.slice(0, 1), ...lines] },
  },
  {
    name: "an event of another type",
    scenario: watched,
    spoil: { lines: (lines) => lines.map((line) => line.replace('{"type":"MODIFIED"', '{"type":"ADDED"')) },
  },
  {
    name: "a conflict that is let through",
    scenario: scenario(create, put(`${gears}/a`, gear("a", undefined, {}, { resourceVersion: "1" }))),
    spoil: { told: (told) => (told.status === 409 ? { ...told, status: 200 } : told) },
  },
];
