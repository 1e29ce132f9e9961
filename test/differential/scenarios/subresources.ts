/**
 * Status and scale: what they take, and what they leave alone.
 */
import type { Scenario } from "../scenario.ts";
import { gear, gears, get, note, notes, patch, plate, plates, post, put, saveAll } from "../scenario.ts";

const current = { resourceVersion: "<<rv>>" };

export function subresourceScenarios(): Scenario[] {
  const scale = (spec: unknown, metadata: object = {}) => ({
    apiVersion: "autoscaling/v1",
    kind: "Scale",
    metadata: { name: "a", namespace: "<<ns>>", ...metadata },
    spec,
  });
  const scales: readonly unknown[] = [
    scale({ replicas: 3 }),
    scale({ replicas: 0 }),
    scale({ replicas: -1 }),
    scale({}),
    scale(undefined),
    scale({ replicas: "3" }),
    scale({ replicas: 1.5 }),
    scale({ replicas: 2_147_483_648 }),
    scale({ replicas: 101 }),
    scale({ replicas: null }),
    scale({ replicas: 2 }, { resourceVersion: "<<rv>>" }),
    scale({ replicas: 2 }, { resourceVersion: "1" }),
    scale({ replicas: 2 }, { resourceVersion: "abc" }),
    scale({ replicas: 2 }, { uid: "<<uid>>" }),
    scale({ replicas: 2 }, { uid: "00000000-0000-4000-8000-000000000000" }),
    scale({ replicas: 2 }, { name: "b" }),
    scale({ replicas: 2 }, { namespace: "other" }),
    scale({ replicas: 2, unknown: 1 }),
    { ...scale({ replicas: 2 }), kind: "Gear" },
    { ...scale({ replicas: 2 }), apiVersion: "autoscaling/v2" },
    { ...scale({ replicas: 2 }), apiVersion: "extensions/v1beta1" },
    { spec: { replicas: 2 } },
    { kind: "Scale", spec: { replicas: 2 } },
    { metadata: { name: "a" }, spec: { replicas: 2 } },
    { kind: "Scale", metadata: { name: "a" }, spec: { replicas: 2 } },
    { apiVersion: "autoscaling/v1", metadata: { name: "a" }, spec: { replicas: 2 } },
    scale({ replicas: 4 }, { labels: { a: "b" } }),
  ];
  const statuses: readonly unknown[] = [
    { phase: "Turning" },
    { phase: "Other" },
    { replicas: 2, selector: "a=b" },
    { replicas: "2" },
    { replicas: -1 },
    null,
    [],
    "x",
    {},
    { unknown: 1 },
    { ready: null },
    { phase: 1, replicas: "x" },
  ];
  const start = (spec: object) =>
    post(gears, gear("a", { color: "red", ...spec }, { status: { phase: "Waiting" } }), { save: saveAll });
  return [
    ...scales.map((body) => ({
      family: "scale",
      steps: [
        start({ replicas: 1 }),
        get(`${gears}/a/scale`),
        put(`${gears}/a/scale`, body),
        get(`${gears}/a`),
        patch(`${gears}/a/scale`, "merge", body),
        get(`${gears}/a/scale`),
        put(`${gears}/a/scale?dryRun=All`, body),
        put(`${gears}/a/scale?fieldValidation=Strict`, body),
        get(`${gears}/a`),
        post(gears, gear("b")),
        get(`${gears}/b/scale`),
        put(`${gears}/b/scale`, body),
        patch(`${gears}/b/scale`, "merge", body),
        get(`${gears}/b/scale`),
      ],
    })),
    ...statuses.map((status) => ({
      family: "status",
      steps: [
        start({}),
        get(`${gears}/a/status`),
        put(`${gears}/a/status`, gear("a", { color: "blue" }, { status }, current)),
        get(`${gears}/a`),
        patch(`${gears}/a/status`, "merge", {
          spec: { color: "green" },
          status,
          metadata: { labels: { x: "y" }, finalizers: ["a/b"] },
        }),
        patch(`${gears}/a/status`, "json", [{ op: "add", path: "/status", value: status }]),
        patch(`${gears}/a/status`, "json", [{ op: "replace", path: "/spec/color", value: "green" }]),
        patch(`${gears}/a`, "merge", { status }),
        get(`${gears}/a`),
        put(`${gears}/a`, gear("a", { color: "red" }, { status })),
        put(`${gears}/a/status?dryRun=All`, gear("a", undefined, { status })),
        put(`${gears}/a/status?fieldValidation=Strict`, gear("a", undefined, { status, extra: 1 })),
        get(`${gears}/a/status`, { headers: { accept: "application/yaml" } }),
        post(plates, plate("s", { status })),
        get(`${plates}/<<id>>-s/status`),
        put(`${plates}/<<id>>-s/status`, plate("s", { status })),
        patch(`${plates}/<<id>>-s`, "merge", { status }),
        post(notes, note("s", { status })),
        put(`${notes}/s/status`, note("s", { status, other: 1 })),
        get(`${notes}/s`),
      ],
    })),
  ];
}
