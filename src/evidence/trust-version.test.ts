import assert from "node:assert/strict";
import { test } from "node:test";
import { EVIDENCE_TYPES, evidenceByShort, evidenceByUri } from "./predicate-names.ts";
import { makeTrustVersionStatement, readTrustVersionStatement } from "./trust-version.ts";

const digest = "a".repeat(64);

test("a version's statement says what it was made of, and nothing else is read", () => {
  for (const version of [
    { digest, version: 1 },
    { digest, version: 7, previous: "b".repeat(64) },
  ]) {
    const statement = makeTrustVersionStatement(version);
    assert.deepEqual(readTrustVersionStatement(statement), version);
    for (const changed of [
      { ...statement, subject: [...statement.subject, ...statement.subject] },
      { ...statement, subject: [{ digest: { "waybill-tree-v1": digest } }] },
      { ...statement, predicate: { ...statement.predicate, until: "x" } },
      { ...statement, predicateType: "urn:waybill:release:v1" },
    ])
      assert.ok("problem" in readTrustVersionStatement(changed));
  }
  assert.throws(() => makeTrustVersionStatement({ digest, version: 0 }), RangeError);
  assert.throws(() => makeTrustVersionStatement({ digest: "x", version: 1 }), RangeError);
});

test("every kind of evidence has one short name, and every URI is of one kind", () => {
  assert.equal(new Set(EVIDENCE_TYPES.map(({ short }) => short)).size, EVIDENCE_TYPES.length);
  const uris = EVIDENCE_TYPES.flatMap((type) => type.uris);
  assert.equal(new Set(uris).size, uris.length);
  for (const type of EVIDENCE_TYPES) {
    assert.equal(evidenceByShort(type.short), type);
    for (const uri of type.uris) assert.equal(evidenceByUri(uri), type);
  }
  for (const short of [
    "release",
    "channel",
    "trust",
    "model",
    "image",
    "provenance",
    "sbom",
    "vulns",
    "test-result",
    "verdict",
  ])
    assert.ok(evidenceByShort(short), short);
  assert.equal(evidenceByUri("https://example.com"), undefined);
});
