import assert from "node:assert/strict";
import { test } from "node:test";
import { parseTokenFile } from "./token-file.ts";

const usersOf = (text: string) =>
  [...parseTokenFile(text, "f").users].map(([token, user]) => [token, user.name, ...user.groups]);

test("parseTokenFile() reads CSV as Go does", () => {
  assert.deepEqual(usersOf('a,ann,1,"x,y"\r\n\r\nb,"bo""b\nby",2,z,ignored\nc, carl ,3,\n"d","dan","4","q"'), [
    ["a", "ann", "x", "y"],
    ["b", 'bo"b\nby', "z"],
    ["c", " carl "],
    ["d", "dan", "q"],
  ]);
  assert.deepEqual(usersOf(""), []);
  assert.deepEqual(usersOf("a,ann,"), [["a", "ann"]]);
});

test("parseTokenFile() warns of empty and repeated tokens by line, never by token", () => {
  const { users, warnings } = parseTokenFile("s3cret,u,1\n\n,x,2\ns3cret,v,3", "f");
  assert.equal(users.get("s3cret")?.name, "v");
  assert.deepEqual(warnings, [
    "empty token has been found in token file 'f', line 3",
    "duplicate token has been found in token file 'f', line 4",
  ]);
});

test("parseTokenFile() names the line of a quote that doesn't fit", () => {
  const message = (line: number) => ({ message: `f:${line}: a quote in the wrong place, or one that is missing` });
  assert.throws(() => parseTokenFile('a,b,c\nd,e"e,f', "f"), message(2));
  assert.throws(() => parseTokenFile('a,"b"c,d', "f"), message(1));
  assert.throws(() => parseTokenFile('a,"b\n', "f"), message(1));
});
