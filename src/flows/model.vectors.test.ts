import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { omsSuite } from "../../scripts/conformance/oms.ts";
import { verifyModel } from "./model-verify.ts";

const vectors = process.env.WAYBILL_VECTORS;
const skip = vectors === undefined ? "WAYBILL_VECTORS is not set" : false;

test("the bundles of ossf/model-signing-spec", { skip }, async () => {
  const { passed, failed } = await omsSuite(join(vectors ?? "", "oms"));
  assert.deepEqual(failed, []);
  assert.ok(passed > 0);
});

test("a model signature of Sigstore's public instance is by whom its certificate names", {
  skip,
}, async () => {
  const scratch = mkdtempSync(join(tmpdir(), "waybill-model-vectors-"));
  try {
    mkdirSync(join(scratch, "model"));
    writeFileSync(join(scratch, "model/signme-1"), "not what was signed");
    const signature = join(vectors ?? "", "oms/test-vectors/v1.0/valid/sigstore.bundle.json");
    const { verificationMaterial } = JSON.parse(readFileSync(signature, "utf8"));
    const certificate = new X509Certificate(Buffer.from(verificationMaterial.certificate.rawBytes, "base64"));
    const subject = certificate.subjectAltName!.replace(/^email:/, "");
    const verify = (issuer: string) =>
      verifyModel({
        path: join(scratch, "model"),
        signature,
        signer: { by: "identity", subject, issuer },
        trustedRoot: "sigstore-public",
        ignoreUnsignedFiles: false,
        now: new Date(),
      });
    const { signedBy, findings } = await verify("https://sigstore.verify.ibm.com/oauth2");
    assert.ok(signedBy?.startsWith(subject));
    // Its files are not among the vectors: one is another, one is missing.
    assert.deepEqual(
      findings.map(({ code }) => code),
      ["WB-MODEL-033", "WB-MODEL-033"],
    );
    const other = await verify("https://accounts.example.com");
    assert.equal(other.signedBy, undefined);
    assert.deepEqual(
      other.findings.map(({ code }) => code),
      ["WB-SIGN-002"],
    );
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
});
