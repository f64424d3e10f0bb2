import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { PrivateSigstore, skipPrivateSigstore } from "../../scripts/private-sigstore/fixture.ts";
import { runProgram } from "../../scripts/private-sigstore/run.ts";
import { evidenceOf, KeylessScene } from "../../scripts/private-sigstore/scene.ts";
import { needTool } from "../../scripts/toolbox/find.ts";
import { EVIDENCE_FOLDER } from "../evidence/files.ts";
import { readOmsBundle } from "../evidence/oms-bundle.ts";
import { parseTrustedRoot } from "../sign/trusted-root.ts";
import { verifyBundle } from "../sign/verify-bundle.ts";

const PERSON = "release@example.com";
const signing = needTool("model_signing");

const scene = new KeylessScene();
after(() => scene.remove());

describe("keyless model signatures, both ways", { skip: skipPrivateSigstore || signing.skip }, () => {
  let sigstore: PrivateSigstore;
  let config: string;

  before(async () => {
    sigstore = await PrivateSigstore.start();
    const both = { trustedRoot: sigstore.trustedRoot(), signingConfig: sigstore.signingConfig() };
    const mediaType = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json";
    config = sigstore.write("trust_config.json", JSON.stringify({ mediaType, ...both }));
  });
  after(() => sigstore?.stop());

  const modelSigning = (words: readonly string[]) =>
    runProgram([signing.path, ...words.slice(0, 2), "--trust_config", config, ...words.slice(2)], {
      env: { HOME: sigstore.folder },
    });

  test("model_signing verifies what Waybill signs, for its identity and its bytes only", async () => {
    const agent = await scene.agent();
    const root = sigstore.write("trusted_root.json", JSON.stringify(sigstore.trustedRoot()));
    const services = sigstore.write("signing_config.json", JSON.stringify(sigstore.signingConfig()));
    const args = ["sign", "--keyless", "--signing-config", services, "--trusted-root", root];
    const ended = await scene.waybill(agent, args, { SIGSTORE_ID_TOKEN: sigstore.personToken(PERSON) });
    assert.equal(ended.status, 0, ended.err);
    const file = evidenceOf(agent).find((name) => name.startsWith("model.m."));
    const verify = (identity: string) =>
      modelSigning([
        ...["verify", "sigstore", "--signature", join(agent, EVIDENCE_FOLDER, file!)],
        ...["--identity", identity, "--identity_provider", sigstore.issuer.url("people")],
        join(agent, "model"),
      ]);
    const good = await verify(PERSON);
    assert.equal(good.status, 0, good.out + good.err);
    assert.notEqual((await verify("other@example.com")).status, 0);
    writeFileSync(join(agent, "model/weights.bin"), "other weights");
    assert.notEqual((await verify(PERSON)).status, 0);
  });

  test("Waybill verifies what model_signing signs", async () => {
    const agent = await scene.agent();
    const file = join(scene.folder, "model.sig");
    const token = sigstore.personToken(PERSON);
    const made = await modelSigning([
      ...["sign", "sigstore", "--signature", file, "--identity_token", token],
      join(agent, "model"),
    ]);
    assert.equal(made.status, 0, made.out + made.err);
    const oms = readOmsBundle(readFileSync(file, "utf8"));
    assert.ok(!("problem" in oms), JSON.stringify(oms));
    const root = parseTrustedRoot(sigstore.trustedRoot());
    assert.ok(!("problem" in root));
    const authority = { roots: [{ name: "private", root }], findKey: () => undefined, requireLog: true };
    const established = verifyBundle(oms.bundle, authority);
    assert.ok(!("problem" in established), JSON.stringify(established));
    assert.ok(established.signer.kind === "certificate");
    assert.deepEqual(established.signer.identity.subjects, [PERSON]);
  });
});
