import assert from "node:assert/strict";
import { test } from "node:test";
import { evidenceFileName, parseEvidenceFileName } from "./files.ts";

const KEY = "0123456789ab".padEnd(64, "c");

test("what a file is named after is read from its name", () => {
  for (const of of [
    { evidence: "release" },
    { evidence: "channel", target: "production" },
    { evidence: "model", name: "base.v1-q4" },
  ] as const)
    assert.deepEqual(parseEvidenceFileName(evidenceFileName(of, KEY)), { ...of, key: "0123456789ab" });
});

test("other names are none, and nothing leads out of the folder", () => {
  const names = ["model.base.sigstore.json", "model..0123456789ab.sigstore.json", "channel.a.sigstore.json"];
  for (const name of [...names, "release.x.0123456789ab.sigstore.json", "model.A.0123456789ab.sigstore.json"])
    assert.equal(parseEvidenceFileName(name), undefined, name);
  assert.throws(() => evidenceFileName({ evidence: "model", name: "../x" }, KEY), RangeError);
  assert.throws(() => evidenceFileName({ evidence: "release" }, "short"), RangeError);
});
