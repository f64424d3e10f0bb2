import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { needTool } from "../../scripts/toolbox/find.ts";
import { bundlesOutputSchema } from "../cli/outputs/bundles.ts";
import type { Json } from "../core/canonical-json.ts";
import { sha256 } from "../core/digest.ts";
import { makeKeyBundle } from "../sign/bundle.ts";
import { generateKeyPair, publicKeyPem } from "../sign/keys.ts";
import { bundleOf, PrivateSigstore, signThing } from "../sign/private-sigstore.test.ts";
import { trustTemplate } from "../verify/trust-template.ts";
import { type BundlesRequest, type ExpectedSigner, verifyBundles } from "./verify-bundles.ts";

const dir = mkdtempSync(join(tmpdir(), "waybill-bundles-"));
after(() => rmSync(dir, { recursive: true, force: true }));

const put = (name: string, data: string | Buffer | { [key: string]: Json }): string => {
  const path = join(dir, name);
  writeFileSync(path, typeof data === "string" || Buffer.isBuffer(data) ? data : JSON.stringify(data));
  return path;
};
const { privateKey, publicKey } = generateKeyPair();
const artifact = put("artifact", "the artifact");
const type = "https://example.com/t";
const statement = JSON.stringify({
  _type: "https://in-toto.io/Statement/v1",
  subject: [{ name: "artifact", digest: { sha256: sha256("the artifact") } }],
  predicateType: type,
  predicate: {},
});
const ours = put("ours.json", makeKeyBundle(statement, privateKey));
const key = put("k.pub", publicKeyPem(publicKey));

const ask = (files: string[], signer: ExpectedSigner, more: Partial<BundlesRequest> = {}) =>
  verifyBundles({
    ...{ files, signer, trustedRoot: undefined, artifact: { file: artifact }, types: undefined },
    ...{ requireLog: false, now: new Date("2026-06-01") },
    ...more,
  });
const byKey: ExpectedSigner = { by: "key", publicKey };

const sigstore = new PrivateSigstore();
const root = put("root.json", sigstore.trustedRoot());
const signer = sigstore.certificate();
const { data, signature } = signThing(signer, { statement });
const keyless = put(
  "keyless.json",
  bundleOf({ statement }, signature, signer, {
    entries: [sigstore.entry(sigstore.body(data, signature, signer, "0.0.2"))],
    timestamps: [sigstore.timestamp(signature)],
  }),
);
const identity: ExpectedSigner = {
  by: "identity",
  subject: "https://ci.test/job@refs/heads/main",
  issuer: "https://issuer.test",
};

const codes = (outcomes: Awaited<ReturnType<typeof verifyBundles>>) =>
  outcomes.map(({ accepted, findings }) => (accepted ? "accepted" : findings.map((f) => f.code).join()));

test("by a key: the artifact and the type are compared, and what was not is said", async () => {
  const [whole] = await ask([ours], byKey, { types: [type] });
  assert.deepEqual([whole?.accepted, whole?.notEvaluated], [true, []]);
  const [bare] = await ask([ours], byKey, { artifact: undefined });
  assert.match(bare!.notEvaluated.join("\n"), /no artifact was compared[\s\S]*any type/);
  assert.deepEqual(codes(await ask([ours], byKey, { types: ["https://example.com/other"] })), [
    "WB-SIGN-013",
  ]);
  assert.deepEqual(codes(await ask([ours], byKey, { artifact: { sha256: sha256("x") } })), ["WB-SIGN-012"]);
  assert.deepEqual(codes(await ask([ours], { by: "key", publicKey: generateKeyPair().publicKey })), [
    "WB-SIGN-003",
  ]);
  assert.deepEqual(codes(await ask([ours], byKey, { requireLog: true })), ["WB-LOG-001"]);
  assert.deepEqual(codes(await ask([keyless, put("no.json", "{}")], byKey)), ["WB-SIGN-002", "WB-SIGN-010"]);
});

test("by an identity: subject and issuer, both exactly, with the roots loaded once for all", async () => {
  const more = { trustedRoot: root };
  const outcomes = await ask([keyless, keyless], identity, more);
  assert.deepEqual(codes(outcomes), ["accepted", "accepted"]);
  assert.deepEqual(outcomes[0]?.times[0]?.authority, "https://tsa.test");
  bundlesOutputSchema.parse(JSON.parse(JSON.stringify(outcomes)));
  for (const wrong of [{ subject: "https://ci.test/job" }, { issuer: "https://issuer.test/" }])
    assert.deepEqual(codes(await ask([keyless], { ...identity, ...wrong }, more)), ["WB-SIGN-002"]);
  assert.deepEqual(codes(await ask([keyless], identity, { trustedRoot: "sigstore-public" })), [
    "WB-SIGN-011",
  ]);
  assert.deepEqual(codes(await ask([ours], identity, more)), ["WB-SIGN-002"]);
});

test("a signature over a file is verified by the file's digest", async () => {
  const pair = { privateKey, publicKey };
  const file = Buffer.from("the artifact");
  const message = put("message.json", bundleOf({ file }, signThing(pair, { file }).signature, pair));
  const forged = put("forged.json", bundleOf({ file }, signature, pair));
  const by = (of: string) => ask([message, forged], byKey, { artifact: { sha256: sha256(of) } });
  assert.deepEqual(codes(await by("the artifact")), ["accepted", "WB-SIGN-003"]);
  assert.deepEqual(codes(await by("x")), ["WB-SIGN-012", "WB-SIGN-012"]);
});

test("a job that cannot be done is an error: no such file, no such root", async () => {
  await assert.rejects(ask([join(dir, "none")], byKey), { code: "WB-INPUT-001" });
  await assert.rejects(ask([ours], identity, { trustedRoot: ours }), { code: "WB-INPUT-006" });
  await assert.rejects(ask([ours], identity, { trustedRoot: artifact }), { code: "WB-INPUT-005" });
});

test("by a trust policy: its key, and only for what its rules allow", async () => {
  const template = trustTemplate({
    principal: "alice",
    publicKey: publicKeyPem(publicKey),
    expires: "2027-01-01T00:00:00Z",
  });
  const policy = (evidence: string) =>
    put(`${evidence}.yaml`, template.replaceAll("evidence: release", `evidence: ${evidence}`));
  const sbom = statement.replace(type, "https://cyclonedx.org/bom");
  const bundle = put("sbom.json", makeKeyBundle(sbom, privateKey));
  const by = (file: string): ExpectedSigner => ({ by: "trust", file, agent: undefined });
  const [allowed] = await ask([bundle], by(policy("sbom")));
  assert.deepEqual([allowed?.accepted, allowed?.principal], [true, "alice"]);
  assert.deepEqual(codes(await ask([bundle], by(policy("provenance")))), ["WB-TRUST-005"]);
  assert.deepEqual(codes(await ask([ours], by(policy("sbom")))), ["WB-TRUST-005"]);
  await assert.rejects(ask([bundle], by(policy("sbom")), { now: new Date("2028-01-01") }), {
    code: "WB-INPUT-006",
  });
});

for (const version of [2, 3] as const) {
  const cosign = needTool(`cosign${version}`);
  const run = (...args: string[]) => {
    const env = { ...process.env, HOME: dir, TUF_ROOT: join(dir, "tuf"), COSIGN_PASSWORD: "" };
    return spawnSync(cosign.path, args, { encoding: "utf8", env, cwd: dir });
  };
  const newFormat = version === 2 ? ["--new-bundle-format"] : [];
  const offline =
    version === 2 ? ["--tlog-upload=false"] : ["--tlog-upload=false", "--use-signing-config=false"];

  test(`cosign ${version} verifies our bundle, and refuses it for another type`, {
    skip: cosign.skip,
  }, () => {
    const trusted = join(dir, `empty-root${version}.json`);
    assert.equal(run("trusted-root", "create", "--out", trusted).status, 0);
    const verify = (wanted: string) =>
      run(
        ...["verify-blob-attestation", "--key", key, "--bundle", ours, "--type", wanted, ...newFormat],
        ...["--insecure-ignore-tlog", "--trusted-root", trusted, artifact],
      );
    const good = verify(type);
    assert.equal(good.status, 0, good.stderr);
    assert.notEqual(verify("https://example.com/other").status, 0);
  });

  test(`what cosign ${version} signs with a key verifies here`, { skip: cosign.skip }, async () => {
    const prefix = `cosign${version}`;
    assert.equal(run("generate-key-pair", "--output-key-prefix", prefix).status, 0);
    const [attested, signed] = [`${prefix}.att.json`, `${prefix}.sig.json`];
    const common = ["--key", `${prefix}.key`, ...newFormat, ...offline, "-y"];
    const predicate = put("predicate.json", { a: 1 });
    const attest = run(
      "attest-blob",
      ...common,
      "--bundle",
      attested,
      "--predicate",
      predicate,
      "--type",
      type,
      artifact,
    );
    assert.equal(attest.status, 0, attest.stderr);
    const sign = run("sign-blob", ...common, "--bundle", signed, artifact);
    assert.equal(sign.status, 0, sign.stderr);
    const { loadVerifyKey } = await import("./verify-bundles.ts");
    const theirs: ExpectedSigner = { by: "key", publicKey: loadVerifyKey(join(dir, `${prefix}.pub`)) };
    const files = [attested, signed].map((name) => join(dir, name));
    assert.deepEqual(codes(await ask(files, theirs)), ["accepted", "accepted"]);
    assert.deepEqual(codes(await ask(files, theirs, { artifact: { file: key } })), [
      "WB-SIGN-012",
      "WB-SIGN-012",
    ]);
  });
}
