/**
 * Server-side apply: what is applied over what somebody else has written, forced and not, and what no
 * apply can be. Who owns which field isn't compared here, but in who is in conflict with whom it shows.
 */
import { gear, gears, get, patch, post, put, type Scenario, type Step, saveAll, withQuery } from "../scenario.ts";

type Query = Readonly<Record<string, string | undefined>>;

/** The same fields as what is there, other values, other fields, and what is no intent. */
const intents: readonly unknown[] = [
  gear("a", { color: "red" }),
  gear("a", { color: "blue" }),
  gear("a", { color: "blue", count: 7, word: "w" }),
  gear("a", { color: "red", parts: [{ name: "b", port: 2 }] }),
  gear("a", { color: "red", parts: [{ name: "n" }] }),
  gear("a", { color: "red", parts: [{ name: "n" }, { name: "n" }] }),
  gear("a", { color: "red", parts: [{ port: 1 }] }),
  gear("a", { color: "red", pieces: ["x", "y"] }),
  gear("a", { color: "red", pieces: ["x", "x"] }),
  gear("a", { color: "red", free: { k: { l: [1] } } }),
  gear("a", { color: "red", unknown: 1 }),
  gear("a", { color: "red", count: "many" }),
  gear("a", { color: "none" }),
  gear("a", {}),
  gear("a", { color: "red" }, {}, { labels: { l: "v" }, annotations: { n: "v" } }),
  gear("a", { color: "red" }, {}, { finalizers: ["a/b"] }),
  gear("a", { color: "red" }, {}, { resourceVersion: "<<rv>>" }),
  gear("a", { color: "red" }, {}, { resourceVersion: "1" }),
  gear("a", { color: "red" }, {}, { uid: "other" }),
  gear("a", { color: "red" }, {}, { managedFields: [] }),
  gear("a", { color: "red" }, {}, { managedFields: [{ manager: "m" }] }),
  gear("a", { color: "red" }, { status: { phase: "Turning" } }),
  gear("b", { color: "red" }),
  { ...gear("a"), kind: "Other" },
  { ...gear("a"), apiVersion: "v1" },
  { apiVersion: "differential.annex.dev/v1", kind: "Gear", metadata: {} },
  {},
  [],
  "",
  "a: [",
  "apiVersion: differential.annex.dev/v1\nkind: Gear\nmetadata: {name: a}\nspec: {color: red, color: blue}\n",
];

const ways: readonly Query[] = [
  { fieldManager: "me" },
  { fieldManager: "me", force: "true" },
  { fieldManager: "me", dryRun: "All" },
  { fieldManager: "me", fieldValidation: "Strict" },
  {},
];

const written = gear("a", { color: "red", count: 1, parts: [{ name: "b", port: 1 }] });
const apply = (path: string, query: Query, body: unknown): Step => patch(withQuery(path, query), "apply", body);

/** Every intent in every way, over an object that another manager wrote, over none, and over a second intent. */
export function applyScenarios(): Scenario[] {
  const over = intents.flatMap((intent) =>
    ways.map((way) => [
      post(withQuery(gears, { fieldManager: "other" }), written, { save: saveAll }),
      apply(`${gears}/a`, way, intent),
      apply(`${gears}/a`, way, intent),
      get(`${gears}/a`),
    ]),
  );
  const anew = intents.map((intent) => [
    apply(`${gears}/a`, { fieldManager: "me" }, intent),
    apply(`${gears}/a`, { fieldManager: "you" }, gear("a", { color: "green", count: 2 })),
    apply(`${gears}/a`, { fieldManager: "you", force: "true" }, gear("a", { color: "green", count: 2 })),
    apply(`${gears}/a`, { fieldManager: "me" }, gear("a", { color: "green" })),
    get(`${gears}/a`),
  ]);
  const others = intents.map((intent) => [
    post(gears, written, { save: saveAll }),
    apply(`${gears}/a/status`, { fieldManager: "me" }, intent),
    apply(
      `${gears}/a/status`,
      { fieldManager: "you" },
      { ...gear("a"), spec: undefined, status: { phase: "Waiting" } },
    ),
    put(
      withQuery(`${gears}/a`, { fieldManager: "other" }),
      gear("a", { color: "blue" }, {}, { resourceVersion: "<<rv>>" }),
    ),
    apply(`${gears}/a`, { fieldManager: "me" }, intent),
  ]);
  return [...over, ...anew, ...others].map((steps) => ({ family: "apply", steps }));
}
