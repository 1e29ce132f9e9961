/**
 * Chance: several values at once, on a verb, with options, in a form.
 */
import type { Random } from "../random.ts";
import type { Scenario, Step } from "../scenario.ts";
import { gear, gears, get, patch, post, put, remove, saveAll, withQuery } from "../scenario.ts";
import { badMetadata, badSpecs, goodSpecs } from "./values.ts";

type Fields = Readonly<Record<string, unknown>>;

const accepts = [undefined, undefined, "application/yaml", "application/json;as=Table;v=v1;g=meta.k8s.io", "text/html"];
const strictness = [undefined, "Strict", "Warn", "Ignore"];
const dryRuns = [undefined, undefined, "All"];
const stepsOfOne = 8;

/** Gives so many scenarios. */
export function mixedScenarios(random: Random, count: number): Scenario[] {
  return Array.from({ length: count }, () => ({
    family: "mixed",
    steps: [
      post(gears, gear("a", { color: "red", ...random.pick(goodSpecs) }), { save: saveAll }),
      ...Array.from({ length: stepsOfOne }, () => mixedStep(random)),
      get(gears),
    ],
  }));
}

function mixedStep(random: Random): Step {
  const accept = random.pick(accepts);
  const asked = accept === undefined ? {} : { headers: { accept } };
  const more = { save: saveAll, ...asked };
  const query = { fieldValidation: random.pick(strictness), dryRun: random.pick(dryRuns) };
  const spec = mixedSpec(random);
  const metadata = random.oneIn(3) ? random.pick(badMetadata) : {};
  const path = (at: string) => withQuery(at, query);
  switch (random.below(7)) {
    case 0:
      return post(path(gears), gear(random.pick(["a", "b", "c"]), spec, {}, metadata), more);
    case 1:
      return put(path(`${gears}/a`), gear("a", spec, {}, { resourceVersion: "<<rv>>", ...metadata }), more);
    case 2:
      return put(path(`${gears}/a/status`), gear("a", spec, { status: mixedStatus(random) }, metadata), more);
    case 3:
      return patch(path(`${gears}/a`), "merge", { metadata, spec }, more);
    case 4: {
      const operations = Object.entries(spec).map(([key, value]) => ({ op: "add", path: `/spec/${key}`, value }));
      return patch(path(`${gears}/a`), "json", operations, more);
    }
    case 5:
      // Not from a list, whose revision is what others write meanwhile.
      return random.oneIn(2) ? get(`${gears}/a`, more) : get(gears, asked);
    default:
      return random.oneIn(2)
        ? remove(path(`${gears}/b`), undefined, more)
        : patch(path(`${gears}/a/status`), "merge", { status: mixedStatus(random) }, more);
  }
}

function mixedSpec(random: Random): Fields {
  const some = Array.from({ length: 1 + random.below(3) }, () => random.pick(random.oneIn(3) ? badSpecs : goodSpecs));
  return Object.assign(random.oneIn(10) ? {} : { color: random.pick(["red", "green", "blue"]) }, ...some);
}

function mixedStatus(random: Random): unknown {
  return random.pick([
    { phase: "Turning" },
    { phase: "Waiting", replicas: 3 },
    { replicas: -1 },
    { other: 1 },
    null,
    { ready: true },
  ]);
}
