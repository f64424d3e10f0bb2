import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { needTools } from "../../../scripts/toolbox/find.ts";
import { askAboutBundle, type Given } from "./bundle-question.ts";
import type { Bench } from "./consumer.ts";
import { CONSUMERS } from "./consumers.ts";
import { agreed } from "./kit.test.ts";

// Certificates, logs and timestamps: what Waybill's own verification says is what cosign says.

const tools = needTools("cosign2", "cosign3");
const bench: Bench = {
  env: { ...process.env, WAYBILL_COSIGN2: tools.paths.cosign2, WAYBILL_COSIGN3: tools.paths.cosign3 },
  signal: new AbortController().signal,
  timeoutMs: 60_000,
};
const IDENTITY =
  "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main";
const ISSUER = "https://token.actions.githubusercontent.com";

const vectors =
  process.env.WAYBILL_VECTORS && join(process.env.WAYBILL_VECTORS, "sigstore-conformance/bundle-verify");
test("Sigstore's conformance cases: what Waybill says, cosign says", {
  skip: !vectors ? "WAYBILL_VECTORS is not set" : tools.skip,
  timeout: 240_000,
}, async (t) => {
  const cases = readdirSync(vectors!).filter((name) =>
    existsSync(join(vectors!, name, "bundle.sigstore.json")),
  );
  assert.ok(cases.length >= 30);
  for (const name of cases) {
    const cwd = join(vectors!, name);
    const there = (file: string) => existsSync(join(cwd, file));
    // A root that Waybill does not take: there is no question to ask.
    if (name === "trust-root-tlog-missing-validity-start_fail") continue;
    await t.test(name, async () => {
      const text = (file: string, otherwise: string) =>
        there(file) ? readFileSync(join(cwd, file), "utf8").trim() : otherwise;
      const signer = there("key.pub")
        ? { key: "key.pub" }
        : { identity: text("identity", IDENTITY), issuer: text("issuer", ISSUER) };
      const given: Given = {
        cwd,
        artifact: there("artifact") ? "artifact" : "../a.txt",
        ...(there("trusted_root.json") ? { trustedRoot: "trusted_root.json" } : {}),
        ...signer,
      };
      for (const consumer of ["cosign2", "cosign3"] as const) {
        const said = await agreed(consumer, "bundle.sigstore.json", given, bench);
        if (!name.endsWith("_fail")) assert.equal(said.outcome, "accepts", JSON.stringify(said));
      }
    });
  }
});
test("with a root that names its log, the log is checked; with another, that is the reason", {
  skip: !vectors ? "WAYBILL_VECTORS is not set" : tools.skip,
  timeout: 60_000,
}, async () => {
  const cwd = join(vectors!, "managed-key-and-trusted-root");
  const given: Given = { cwd, key: "key.pub", artifact: "../a.txt" };
  const right = { ...given, trustedRoot: "trusted_root.json" };
  const wrong = { ...given, trustedRoot: "sigstore-public" };
  for (const name of ["cosign2", "cosign3"] as const) {
    const checked = await agreed(name, "bundle.sigstore.json", right, bench);
    assert.equal(checked.outcome, "accepts");
    assert.doesNotMatch(checked.command!, /ignore-tlog/);
    const unchecked = await agreed(name, "bundle.sigstore.json", given, bench);
    assert.match(unchecked.command!, /--insecure-ignore-tlog/);
    assert.match(unchecked.why.join(), /no trusted root was given/);
    const other = await CONSUMERS.find((consumer) => consumer.name === name)!.diagnose(
      await askAboutBundle("bundle.sigstore.json", wrong),
      bench,
    );
    assert.deepEqual([other.outcome, other.how], ["refuses", "run"], JSON.stringify(other));
    assert.match(other.why.join(), /log/);
  }
});
