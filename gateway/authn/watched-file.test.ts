import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createWatchedFile, watchOnDisk } from "./watched-file.ts";

const quiet = { info() {}, warn() {}, error() {} };

test("createWatchedFile() sees a ConfigMap's symbolic link being swapped", { timeout: 9_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "annex-watch-"));
  for (const version of ["one", "two"]) {
    mkdirSync(join(folder, version));
    writeFileSync(join(folder, version, "ca.crt"), version);
  }
  symlinkSync("one", join(folder, "..data"));
  symlinkSync("..data/ca.crt", join(folder, "ca.crt"));
  const second = Promise.withResolvers<string>();
  let texts = 0;
  const load = (text: string) => (texts++ === 0 ? assert.equal(text, "one") : second.resolve(text));
  const watched = createWatchedFile({ path: join(folder, "ca.crt"), load, log: quiet, watchFile: watchOnDisk });
  // The watcher alone doesn't keep a process alive.
  const awake = setInterval(() => {}, 1000);
  symlinkSync("two", join(folder, "..next"));
  renameSync(join(folder, "..next"), join(folder, "..data"));
  assert.equal(await second.promise, "two");
  clearInterval(awake);
  watched.close();
  rmSync(folder, { recursive: true });
});

test("createWatchedFile() loads nothing after it was closed", async () => {
  const folder = mkdtempSync(join(tmpdir(), "annex-watch-"));
  const path = join(folder, "file");
  writeFileSync(path, "one");
  const texts: string[] = [];
  let changed = () => {};
  const watched = createWatchedFile({
    path,
    load: (text) => texts.push(text),
    log: quiet,
    watchFile: (_path, onChange) => {
      changed = onChange;
      return { close() {} };
    },
  });
  writeFileSync(path, "two");
  watched.close();
  changed();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(texts, ["one"]);
  rmSync(folder, { recursive: true });
});
