import { join } from "node:path";
import { describeSample, sampleCache } from "./sample.ts";

const python = join(sampleCache, "python/bin/python");

await describeSample({
  name: "python",
  toolchain: ["python3", "-c", "import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))"],
  build: [
    ["python3", "-m", "venv", join(sampleCache, "python")],
    [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt"],
    ["./generate.sh"],
  ],
  test: [python, "-m", "unittest"],
  command: [python, "-m", "annex_sample_store"],
  env: { PYTHON: python },
});
