import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Json } from "../core/canonical-json.ts";
import { parseBundle } from "./bundle.ts";
import { bundleOfLayer, CERTIFICATE, LOG_BUNDLE, SIGNATURE } from "./cosign-layer.ts";
import { SIGSTORE_PUBLIC_ROOT } from "./sigstore-public.ts";
import { parseTrustedRoot } from "./trusted-root.ts";
import { verifyBundle } from "./verify-bundle.ts";

const vectors = process.env.WAYBILL_VECTORS;
const skip = vectors === undefined ? "WAYBILL_VECTORS is not set" : false;

test("a signature of the public Sigstore, written as cosign 2's annotations, is verified offline", {
  skip,
}, () => {
  const at = (name: string) => join(vectors ?? "", "sigstore-conformance/bundle-verify", name);
  const artifact = readFileSync(at("a.txt"));
  const original = parseBundle(readFileSync(at("happy-path-v0.1/bundle.sigstore.json"), "utf8"));
  if ("problem" in original || original.signer.kind !== "certificate") assert.fail("the case is another one");
  const entry = (original.json as { verificationMaterial: { tlogEntries: { [key: string]: Json }[] } })
    .verificationMaterial.tlogEntries[0]!;
  const { signedEntryTimestamp } = entry.inclusionPromise as { signedEntryTimestamp: string };
  const lines = original.signer.chain[0]!.toString("base64").replace(/.{64}(?=.)/g, "$&\n");
  const annotations = (change: { set?: string; time?: number } = {}) => ({
    [SIGNATURE]: original.signature.toString("base64"),
    [CERTIFICATE]: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
    [LOG_BUNDLE]: JSON.stringify({
      SignedEntryTimestamp: change.set ?? signedEntryTimestamp,
      Payload: {
        body: entry.canonicalizedBody,
        integratedTime: change.time ?? Number(entry.integratedTime),
        logIndex: Number(entry.logIndex),
        logID: Buffer.from((entry.logId as { keyId: string }).keyId, "base64").toString("hex"),
      },
    }),
  });
  const root = parseTrustedRoot(SIGSTORE_PUBLIC_ROOT);
  if ("problem" in root) assert.fail(root.problem);
  const verify = (given: Record<string, string>, bytes = artifact) => {
    const bundle = bundleOfLayer("signature", bytes, given);
    if ("problem" in bundle) return bundle.problem;
    const roots = [{ name: "public", root }];
    const result = verifyBundle(bundle, { roots, findKey: () => undefined, requireLog: true }, { bytes });
    return "problem" in result ? result.problem.code : result;
  };
  const established = verify(annotations());
  if (typeof established === "string") assert.fail(established);
  assert.ok(established.signer.kind === "certificate" && established.logged.length === 1);
  assert.equal(established.times[0]?.at, Number(entry.integratedTime) * 1000);
  assert.equal(verify(annotations(), Buffer.from("another file")), "WB-SIGN-003");
  assert.match(String(verify(annotations({ time: Number(entry.integratedTime) + 1 }))), /^WB-LOG-/);
  const forged = Buffer.from(signedEntryTimestamp, "base64");
  forged[forged.length - 1]! ^= 1;
  assert.match(String(verify(annotations({ set: forged.toString("base64") }))), /^WB-LOG-/);
});
