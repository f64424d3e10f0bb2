import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { needTool } from "../../../scripts/toolbox/find.ts";
import type { Json } from "../../core/canonical-json.ts";
import { makeKeyBundle } from "../../sign/bundle.ts";
import { askAboutBundle, type Given } from "./bundle-question.ts";
import type { Bench } from "./consumer.ts";
import { CONSUMERS } from "./consumers.ts";
import { doctor } from "./doctor.ts";
import {
  agreed,
  bundleOver,
  type KeyKind,
  keyPairOf,
  messageBundle,
  modelStatement,
  omsMaterial,
  statementAbout,
  type Unusual,
} from "./kit.test.ts";

// What the rules foresee must be what the real programs say; where the two differ, the rule is wrong.

const tools = {
  cosign2: needTool("cosign2"),
  cosign3: needTool("cosign3"),
  model_signing: needTool("model_signing"),
};
type Runnable = keyof typeof tools;
const bench: Bench = {
  env: {
    ...process.env,
    WAYBILL_COSIGN2: tools.cosign2.path,
    WAYBILL_COSIGN3: tools.cosign3.path,
    WAYBILL_MODEL_SIGNING: tools.model_signing.path,
  },
  signal: new AbortController().signal,
  timeoutMs: 60_000,
};
const FILE = Buffer.from("an artifact\n");
const MODEL = { "config.json": "{}", "sub/weights.bin": "weights" };
let dir = "";

before(() => {
  dir = mkdtempSync(join(tmpdir(), "waybill-doctor-test-"));
  writeFileSync(join(dir, "artifact"), FILE);
  for (const [name, text] of Object.entries(MODEL)) {
    mkdirSync(dirname(join(dir, "model", name)), { recursive: true });
    writeFileSync(join(dir, "model", name), text);
  }
});
after(() => rmSync(dir, { recursive: true, force: true }));

interface Patient {
  key?: KeyKind;
  make(pair: ReturnType<typeof keyPairOf>): string;
  given?: Partial<Given>;
  expect: Partial<Record<Runnable, "accepts" | "refuses">>;
  /** The rules cannot tell. */
  open?: true;
  /** A reason that must be told. */
  why?: RegExp;
}

const both = (outcome: "accepts" | "refuses") => ({ cosign2: outcome, cosign3: outcome });
const over =
  (statement: Json, unusual: Unusual = {}): Patient["make"] =>
  (pair) =>
    bundleOver(statement, pair.privateKey, unusual);
const about = statementAbout(FILE);
const digest = (about as { subject: { digest: { sha256: string } }[] }).subject[0]!.digest.sha256;

const PATIENTS: Readonly<Record<string, Patient>> = {
  "our own bundle": {
    make: (pair) => makeKeyBundle(JSON.stringify(about), pair.privateKey),
    expect: both("accepts"),
  },
  "statement v0.1": {
    make: over(statementAbout(FILE, { _type: "https://in-toto.io/Statement/v0.1" })),
    expect: both("accepts"),
  },
  "bundle v0.1 without entries": {
    make: over(about, { mediaType: "application/vnd.dev.sigstore.bundle+json;version=0.1" }),
    expect: both("accepts"),
  },
  "bundle v0.3 in the old spelling": {
    make: over(about, { mediaType: "application/vnd.dev.sigstore.bundle+json;version=0.3" }),
    expect: both("accepts"),
  },
  "bundle v0.4": {
    make: over(about, { mediaType: "application/vnd.dev.sigstore.bundle.v0.4+json" }),
    expect: both("refuses"),
    why: /no bundle version/,
  },
  "a field of its own": {
    make: over(about, { material: { publicKey: { hint: "k" }, note: "x" } }),
    expect: both("refuses"),
    why: /verificationMaterial\.note/,
  },
  "an older OMS bundle's rawBytes": {
    make: over(about, {
      material: { publicKey: { hint: "k", rawBytes: "AAAA", keyDetails: "PKIX_ECDSA_P256_SHA_256" } },
    }),
    expect: both("refuses"),
    why: /rawBytes/,
  },
  "no key named": { make: over(about, { material: {} }), expect: both("refuses"), why: /neither a key/ },
  "no hint": { make: over(about, { material: { publicKey: {} } }), expect: both("accepts") },
  "two signatures": { make: over(about, { signatures: 2 }), expect: both("refuses"), why: /2 signatures/ },
  "no signature": { make: over(about, { signatures: 0 }), expect: both("refuses"), why: /0 signatures/ },
  "another payload type": {
    make: over(about, { payloadType: "text/x" }),
    expect: both("refuses"),
    why: /text\/x/,
  },
  "a field that in-toto does not know": {
    make: over(statementAbout(FILE, { comment: "x" })),
    expect: both("refuses"),
    why: /comment/,
  },
  "a predicate that is a list": {
    make: over(statementAbout(FILE, { predicate: [1] })),
    expect: both("refuses"),
    why: /predicate/,
  },
  "no subject": {
    make: over(statementAbout(FILE, { subject: [] })),
    expect: both("refuses"),
    why: /no subject/,
  },
  "a subject by sha512 alone": {
    make: (pair) =>
      bundleOver(
        statementAbout(FILE, { subject: [{ name: "a", digest: { sha512: sha512(FILE) } }] }),
        pair.privateKey,
      ),
    expect: { cosign2: "refuses", cosign3: "accepts" },
  },
  "a subject by waybill-tree-v1 alone, with a file": {
    make: over(statementAbout(FILE, { subject: [{ name: "a", digest: { "waybill-tree-v1": digest } }] })),
    expect: both("refuses"),
    why: /waybill-tree-v1/,
  },
  "a subject by waybill-tree-v1 alone, by that digest": {
    make: over(statementAbout(FILE, { subject: [{ name: "a", digest: { "waybill-tree-v1": digest } }] })),
    given: { artifact: "", digest: `waybill-tree-v1:${digest}` },
    expect: both("accepts"),
  },
  "another digest": {
    make: over(about),
    given: { artifact: "", digest: `sha256:${"0".repeat(64)}` },
    expect: both("refuses"),
  },
  "another file": {
    make: over(about),
    given: { artifact: "other" },
    expect: both("refuses"),
    why: /not the attested/,
  },
  "P-384 over SHA-384": {
    key: "P-384",
    make: over(about, { hash: "sha384" }),
    expect: both("refuses"),
    why: /SHA-256 for any key/,
  },
  "P-384 over SHA-256": { key: "P-384", make: over(about), expect: both("accepts") },
  "P-521 over SHA-512": {
    key: "P-521",
    make: over(about, { hash: "sha512" }),
    expect: both("refuses"),
    why: /SHA-512/,
  },
  Ed25519: { key: "ed25519", make: over(about, { hash: null }), expect: both("accepts") },
  RSA: { key: "rsa", make: over(about), expect: both("accepts") },
  "a stranger's key": {
    make: () => bundleOver(about, keyPairOf("P-256").privateKey),
    expect: both("refuses"),
    why: /not by this key/,
  },
  "a signature over a file": {
    make: (pair) => messageBundle(FILE, pair.privateKey),
    expect: both("accepts"),
  },
  "a signature over a file, by its digest": {
    make: (pair) => messageBundle(FILE, pair.privateKey),
    given: { artifact: "" },
    // A digest alone does not let Node verify a signature: cosign has the only word.
    open: true,
    expect: both("accepts"),
  },
  "Ed25519 over a file": {
    key: "ed25519",
    make: (pair) => messageBundle(FILE, pair.privateKey, { hash: null }),
    expect: both("accepts"),
  },
  "not JSON": { make: () => "{", expect: both("refuses"), why: /not a bundle/ },
  "a model, signed for OMS": { ...model({}), expect: { ...both("accepts"), model_signing: "accepts" } },
  "a model by P-384": {
    ...model({}, "P-384", "sha384"),
    expect: { ...both("refuses"), model_signing: "accepts" },
  },
  "a model by P-521": { ...model({}, "P-521", "sha512"), expect: { model_signing: "accepts" } },
  "a model by P-384 over SHA-256": {
    ...model({}, "P-384"),
    expect: { cosign3: "accepts", model_signing: "refuses" },
    why: /sha384/,
  },
  "a model by Ed25519": {
    ...model({}, "ed25519", null),
    expect: { cosign3: "accepts", model_signing: "refuses" },
    why: /P-256/,
  },
  "a model with cosign's hint": {
    ...model({}),
    make: (pair) => makeKeyBundle(JSON.stringify(modelStatement(MODEL)), pair.privateKey),
    expect: { ...both("accepts"), model_signing: "refuses" },
    why: /hint/,
  },
  "a model without a hint": {
    ...model({}),
    make: over(modelStatement(MODEL), { material: { publicKey: {} } }),
    expect: { model_signing: "accepts" },
  },
  "a model with rawBytes": {
    ...model({}),
    make: (pair) =>
      bundleOver(modelStatement(MODEL), pair.privateKey, {
        material: { publicKey: { rawBytes: "AAAA", keyDetails: "PKIX_ECDSA_P256_SHA_256" } },
      }),
    expect: { cosign2: "refuses", model_signing: "accepts" },
  },
  "a model in a v0.2 bundle": {
    ...model({}),
    make: (pair) =>
      bundleOver(modelStatement(MODEL), pair.privateKey, {
        material: omsMaterial(pair.publicKey),
        mediaType: "application/vnd.dev.sigstore.bundle+json;version=0.2",
      }),
    expect: { cosign3: "accepts", model_signing: "refuses" },
    why: /to the letter/,
  },
  "a model with statement v0.1": {
    ...model({ _type: "https://in-toto.io/Statement/v0.1" }),
    expect: { cosign3: "accepts", model_signing: "refuses" },
    why: /Statement\/v0\.1/,
  },
  "a model with two subjects": {
    ...model({ subject: [{ digest: { sha256: digest } }, { digest: { sha256: digest } }] }),
    expect: { model_signing: "refuses" },
    why: /one subject/,
  },
  "a model in shards": {
    ...model({}, "P-256", "sha256", { method: "shards", shard_size: 1000 }),
    expect: { model_signing: "refuses" },
    why: /shards/,
  },
  "a model by blake2b": {
    ...model({}),
    make: (pair) =>
      bundleOver(modelStatement(MODEL, {}, {}, ["blake2b", "blake2b512"]), pair.privateKey, {
        material: omsMaterial(pair.publicKey),
      }),
    expect: { model_signing: "refuses" },
    why: /blake2b/,
  },
  "a model of an unknown serialization": {
    ...model({}, "P-256", "sha256", { method: "blocks" }),
    expect: { model_signing: "refuses" },
    why: /serialization/,
  },
  "no model at all": { make: over(about), expect: { model_signing: "refuses" }, why: /no model signature/ },
};

function model(
  other: { [field: string]: Json },
  key: KeyKind = "P-256",
  hash: string | null = "sha256",
  serialization: { [field: string]: Json } = {},
): Pick<Patient, "key" | "make" | "given"> {
  return {
    key,
    given: { artifact: "model" },
    make: (pair) =>
      bundleOver(modelStatement(MODEL, other, serialization), pair.privateKey, {
        hash,
        material: omsMaterial(pair.publicKey),
      }),
  };
}

function sha512(data: Buffer): string {
  return execFileSync("sha512sum", { input: data, encoding: "utf8" }).split(" ")[0]!;
}

for (const name of Object.keys(tools) as Runnable[])
  test(`${name}: the rules foresee what it says`, { skip: tools[name].skip, timeout: 240_000 }, async (t) => {
    writeFileSync(join(dir, "other"), "another file");
    for (const [title, { key = "P-256", make, given = {}, open, expect, why }] of Object.entries(PATIENTS)) {
      const wanted = expect[name];
      if (wanted === undefined) continue;
      await t.test(title, async () => {
        const pair = keyPairOf(key);
        const target = join(dir, `${name}.json`);
        writeFileSync(target, make(pair));
        writeFileSync(join(dir, "key.pub"), pair.publicKey.export({ type: "spki", format: "pem" }));
        const all: Given = { cwd: dir, key: "key.pub", artifact: "artifact", ...given };
        if (all.artifact === "") delete all.artifact;
        const said = await agreed(name, target, all, bench);
        assert.equal(said.outcome, wanted, JSON.stringify(said));
        assert.equal(said.foreseen.outcome === "cannot tell", open === true);
        if (why && wanted === "refuses") assert.match(said.why.join("\n"), why);
      });
    }
  });

test("certificate chains: v0.3 with a flag in cosign 3, not in cosign 2; model_signing takes them", {
  skip:
    tools.cosign2.skip || tools.cosign3.skip || tools.model_signing.skip || !existsSync("/usr/bin/openssl"),
  timeout: 120_000,
}, async () => {
  const made = certificateChain(dir);
  const bundle = join(dir, "chain.json");
  const material = { x509CertificateChain: { certificates: made.chain.map((rawBytes) => ({ rawBytes })) } };
  writeFileSync(bundle, bundleOver(modelStatement(MODEL), made.key, { material }));
  const given: Given = { cwd: dir, artifact: "model", trustedRoot: made.root };
  const two = await agreed("cosign2", bundle, given, bench);
  assert.equal(two.outcome, "refuses");
  assert.match(two.why.join(), /certificate chain/);
  const three = await CONSUMERS.find(({ name }) => name === "cosign3")!.diagnose(
    await askAboutBundle(bundle, given),
    bench,
  );
  assert.match(three.command!, /--allow-certificate-chain/);
  const python = await agreed("model_signing", bundle, given, bench);
  assert.equal(python.outcome, "accepts", JSON.stringify(python));
  const [own] = await doctor({ ...given, target: bundle, only: ["waybill"] }, bench);
  assert.equal(own!.outcome, "accepts", JSON.stringify(own));
});

test("files that are not the signed ones are refused by all that hash them", {
  skip: tools.model_signing.skip,
  timeout: 60_000,
}, async () => {
  const { privateKey, publicKey } = keyPairOf("P-256");
  const target = join(dir, "tampered.json");
  const changed = modelStatement({ ...MODEL, "config.json": "[]" });
  writeFileSync(target, bundleOver(changed, privateKey, { material: omsMaterial(publicKey) }));
  writeFileSync(join(dir, "key.pub"), publicKey.export({ type: "spki", format: "pem" }));
  const request = { cwd: dir, target, key: "key.pub", artifact: "model" };
  const [own, theirs] = await doctor({ ...request, only: ["waybill", "model_signing"] }, bench);
  assert.deepEqual([own!.outcome, theirs!.outcome], ["refuses", "refuses"]);
  assert.match(theirs!.why.join(), /not the signed ones/);
  assert.match(own!.why.join(), /config\.json/);
});

/** A root authority and a code signing certificate of it, made by OpenSSL; `root` is a trusted root that names it. */
function certificateChain(folder: string) {
  const at = (name: string) => join(folder, name);
  const openssl = (...args: string[]) =>
    execFileSync("openssl", args, { cwd: folder, stdio: ["ignore", "pipe", "ignore"] });
  const ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl(
    "req",
    "-x509",
    ...ec,
    "-keyout",
    "ca.key",
    "-out",
    "ca.pem",
    "-subj",
    "/CN=authority",
    "-days",
    "30",
  );
  openssl("req", ...ec, "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", "/CN=signer");
  writeFileSync(
    at("leaf.ext"),
    "keyUsage=critical,digitalSignature\nextendedKeyUsage=codeSigning\nsubjectAltName=email:signer@example.test\n",
  );
  openssl(
    "x509",
    "-req",
    "-in",
    "leaf.csr",
    "-CA",
    "ca.pem",
    "-CAkey",
    "ca.key",
    "-CAcreateserial",
    "-out",
    "leaf.pem",
    "-days",
    "10",
    "-extfile",
    "leaf.ext",
  );
  const der = (name: string) => new X509Certificate(readFileSync(at(name))).raw.toString("base64");
  writeFileSync(
    at("chain-root.json"),
    JSON.stringify({
      mediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
      certificateAuthorities: [
        {
          subject: { organization: "", commonName: "authority" },
          uri: "",
          certChain: { certificates: [{ rawBytes: der("ca.pem") }] },
          validFor: { start: "2020-01-01T00:00:00Z" },
        },
      ],
    }),
  );
  return {
    key: createPrivateKey(readFileSync(at("leaf.key"))),
    chain: [der("leaf.pem")],
    root: "chain-root.json",
  };
}
