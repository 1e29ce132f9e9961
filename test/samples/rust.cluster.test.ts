import { join } from "node:path";
import { describeSample, sampleCache } from "./sample.ts";

const target = join(sampleCache, "rust");

await describeSample({
  name: "rust",
  toolchain: ["cargo", "--version"],
  build: [["cargo", "build", "--release", "--locked"]],
  test: ["cargo", "test", "--release", "--locked"],
  command: [join(target, "release/annex-sample-store")],
  env: { CARGO_TARGET_DIR: target },
});
