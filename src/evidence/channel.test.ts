import assert from "node:assert/strict";
import { test } from "node:test";
import { sha256 } from "../core/digest.ts";
import { type Channel, makeChannelStatement, readChannelStatement } from "./channel.ts";
import { evidenceFileName, parseEvidenceFileName } from "./files.ts";
import { PREDICATES } from "./registry.ts";
import { encodeStatement, parseStatement, type Statement } from "./statement.ts";

const channel: Channel = {
  agent: "support-agent",
  target: "production",
  seq: 7,
  expires: "2027-06-01T00:00:00Z",
  releases: [sha256("new"), sha256("old")],
};

test("a channel statement is made and read, the newest release first", () => {
  const statement = makeChannelStatement(channel);
  assert.deepEqual(
    readChannelStatement(parseStatement(Buffer.from(encodeStatement(statement))) as Statement),
    channel,
  );
});

test("only what can be read is made", () => {
  for (const [part, reason] of [
    [{ releases: [] }, /1 to 100/],
    [{ releases: Array.from({ length: 101 }, (_, i) => sha256(`${i}`)) }, /1 to 100/],
    [{ releases: [sha256("a"), sha256("a")] }, /twice/],
    [{ releases: ["abc"] }, /no release digest/],
    [{ seq: 0 }, /seq/],
    [{ seq: 1.5 }, /seq/],
    [{ expires: "2026-02-30T00:00:00Z" }, /expires/],
    [{ target: "../x" }, /target/],
    [{ agent: "" }, /agent/],
  ] as [Partial<Channel>, RegExp][])
    assert.throws(() => makeChannelStatement({ ...channel, ...part }), {
      name: "RangeError",
      message: reason,
    });
});

test("what is signed by others is read just as strictly", () => {
  // biome-ignore lint/suspicious/noExplicitAny: tests reach anywhere
  const problem = (change: (statement: any) => void) => {
    const statement = structuredClone(makeChannelStatement(channel));
    change(statement);
    const read = readChannelStatement(statement);
    return "problem" in read ? read.problem : "was read";
  };
  assert.match(
    problem((s) => (s.subject[1].name = "another")),
    /not named/,
  );
  assert.match(
    problem((s) => (s.subject[1].digest = { "waybill-tree-v1": sha256("x") })),
    /no release digest/,
  );
  assert.match(
    problem((s) => (s.predicate.onlyOn = "sundays")),
    /onlyOn/,
  );
  assert.match(
    problem((s) => (s.predicate.seq = "7")),
    /seq/,
  );
  assert.match(
    problem((s) => (s.predicateType = "urn:waybill:release:v1")),
    /not urn:waybill:channel/,
  );
});

test("file names say who signed what for which target, and are read back", () => {
  const key = sha256("key");
  const short = key.slice(0, 12);
  assert.equal(evidenceFileName({ evidence: "release" }, key), `release.${short}.sigstore.json`);
  for (const target of ["production", "eu.west-1", "a"]) {
    const name = evidenceFileName({ evidence: "channel", target }, key);
    assert.equal(name, `channel.${target}.${short}.sigstore.json`);
    assert.deepEqual(parseEvidenceFileName(name), { evidence: "channel", target, key: short });
  }
  assert.throws(() => evidenceFileName({ evidence: "channel", target: "../x" }, key), RangeError);
  assert.throws(() => evidenceFileName({ evidence: "release" }, short), RangeError);
  for (const name of [
    "release.sigstore.json",
    "channel.a/b.0123456789ab.sigstore.json",
    "x",
    `release.${short}.json`,
  ])
    assert.equal(parseEvidenceFileName(name), undefined);
});

test("the registry names each type once", () => {
  assert.equal(new Set(PREDICATES.flatMap(({ uri, short }) => [uri, short])).size, 2 * PREDICATES.length);
});
