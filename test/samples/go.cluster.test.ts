import { join } from "node:path";
import { describeSample, sampleCache } from "./sample.ts";

const binary = join(sampleCache, "go/annex-sample-store");

await describeSample({
  name: "go",
  toolchain: ["go", "version"],
  build: [
    ["go", "generate", "."],
    ["go", "build", "-buildvcs=false", "-o", binary, "."],
  ],
  test: ["go", "test", "."],
  command: [binary],
});
