import assert from "node:assert/strict";
import { test } from "node:test";
import { sha256 } from "../core/digest.ts";
import { makeOmsStatement } from "../evidence/oms-statement.ts";
import { encodeStatement } from "../evidence/statement.ts";
import { makeKeyBundle } from "../sign/bundle.ts";
import { generateKeyPair, publicKeyPem } from "../sign/keys.ts";
import { modelSignatures, type SignedModel } from "./model-step.ts";
import { parseTrust } from "./trust.ts";

const { privateKey, publicKey } = generateKeyPair();
const NOW = new Date("2026-06-01T00:00:00Z");

const trust = (rule: string, until = "2027-01-01T00:00:00Z") =>
  parseTrust(
    [
      "waybillTrust: v1\nversion: 1\nexpires: 2100-01-01T00:00:00Z\nprincipals:\n  - name: publisher\n    keys:",
      `      - notAfter: ${until}\n        publicKey: |\n${publicKeyPem(publicKey).trim().replaceAll(/^/gm, "          ")}`,
      `rules:\n  - {${rule}, principals: [publisher], threshold: 1}\n`,
    ].join("\n"),
  );
const RULE = "evidence: model, agents: [mine]";

const statement = makeOmsStatement({ name: "m", files: [{ path: "w", sha256: sha256("w") }] });
assert.ok(!("problem" in statement));
const text = makeKeyBundle(encodeStatement(statement), privateKey, { hint: "oms" });

const model = (files: Record<string, string>, bundles: SignedModel["bundles"]): SignedModel => ({
  id: "model/base",
  prefix: "m/",
  model: {
    files: Object.entries(files).map(([path, content]) => ({
      path,
      size: content.length,
      sha256: sha256(content),
    })),
    links: [],
    isSingleFile: false,
  },
  bundles,
});
const good = { file: "m/model.sig", text, signature: "model.sig" };

function said(...args: Parameters<typeof modelSignatures>): Record<string, string> {
  return Object.fromEntries(modelSignatures(...args).map(({ code, status }) => [code, status]));
}

test("a trusted signature on these bytes passes every rule", () => {
  const results = said([model({ w: "w", "model.sig": text }, [good])], "mine", trust(RULE), NOW);
  assert.deepEqual(Object.values(results), ["pass", "pass", "pass", "pass", "pass", "pass"]);
});

test("nothing is asked where trust says nothing of this agent's models", () => {
  const models = [model({ w: "changed" }, [good])];
  assert.deepEqual(said(models, "mine", undefined, NOW), {});
  assert.deepEqual(said(models, "mine", trust("evidence: release, agents: [mine]"), NOW), {});
  assert.deepEqual(said(models, "other", trust(RULE), NOW), {});
  assert.deepEqual(said([], "mine", trust(RULE), NOW), {});
});

test("one signed model of two is not all of them", () => {
  const models = [model({ w: "w" }, [good]), model({ w: "w" }, [])];
  assert.deepEqual(said(models, "mine", trust(RULE), NOW), { "WB-MODEL-030": "not-evaluated" });
});

test("a signature whose window is over, that is damaged or no bundle does not count", () => {
  const files = { w: "w" };
  const ended = trust(RULE, "2026-05-01T00:00:00Z");
  assert.deepEqual(said([model(files, [good])], "mine", ended, NOW), { "WB-MODEL-032": "fail" });
  const bad = JSON.parse(text);
  bad.dsseEnvelope.payload = Buffer.from(JSON.stringify({ ...statement, more: 1 })).toString("base64");
  for (const bundle of [
    { file: "x", text: JSON.stringify(bad) },
    { file: "x", text: "{}" },
    { file: "x", text: "", problem: "it cannot be read" },
  ])
    assert.deepEqual(said([model(files, [bundle])], "mine", trust(RULE), NOW), { "WB-MODEL-032": "fail" });
  // Beside a good one it does not matter.
  const both = said([model(files, [{ file: "x", text: "{}" }, good])], "mine", trust(RULE), NOW);
  assert.deepEqual(new Set(Object.values(both)), new Set(["pass"]));
});

test("changed, missing and added files are findings that no exception passes", () => {
  for (const [files, code] of [
    [{ w: "other" }, "WB-MODEL-033"],
    [{}, "WB-MODEL-033"],
    [{ w: "w", "x.py": "" }, "WB-MODEL-034"],
  ] as const) {
    const results = modelSignatures([model(files, [good])], "mine", trust(RULE), NOW);
    assert.deepEqual(
      results.map(({ code: each, status }) => [each, status]),
      [[code, "fail"]],
    );
    const [result] = results;
    assert.ok(result?.status === "fail");
    assert.ok(result.findings.every(({ final, path }) => final && path?.startsWith("m/")));
  }
});
