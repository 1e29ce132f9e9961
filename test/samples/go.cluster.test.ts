import { join } from "node:path";
import { root } from "../support/checkout.ts";
import { describeSample, sampleCache } from "./sample.ts";

const binary = join(sampleCache, "go/annex-sample-store");
const buf = join(root, "node_modules/.bin/buf");

await describeSample({
  name: "go",
  toolchain: ["go", "version"],
  build: [
    // The generated code is committed: written anew it must be the same.
    [buf, "generate", "--output", join(sampleCache, "go")],
    ["diff", "-r", "gen", join(sampleCache, "go/gen")],
    ["go", "build", "-buildvcs=false", "-o", binary, "."],
  ],
  test: ["go", "test", "."],
  command: [binary],
});
