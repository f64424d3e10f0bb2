// Two ways with the real model_signing: what Waybill signs it accepts, what it signs Waybill accepts, and what was
// tampered with both refuse.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { needTool } from "../../scripts/toolbox/find.ts";
import { sha256 } from "../core/digest.ts";
import { readOmsBundle } from "../evidence/oms-bundle.ts";
import { STATEMENT_TYPE } from "../evidence/statement.ts";
import { preAuthEncoding } from "../sign/dsse.ts";
import type { SigningKey } from "../sign/key-store.ts";
import { generateKeyPair, keyId, publicKeyPem } from "../sign/keys.ts";
import { keySigner } from "../sign/statement-signer.ts";
import { signModel } from "./model-sign.ts";
import { type ExpectedModelSigner, type ModelVerdict, verifyModel } from "./model-verify.ts";

const scratch = realpathSync(mkdtempSync(join(tmpdir(), "waybill-model-")));
after(() => rmSync(scratch, { recursive: true, force: true }));

const python = needTool("model_signing");
const needs = { skip: python.skip };
const openssl = spawnSync("openssl", ["version"]).status === 0;

const pair = generateKeyPair();
const key: SigningKey = { name: "test", keyId: keyId(pair.publicKey), ...pair };
const PUBLIC = join(scratch, "key.pub");
writeFileSync(PUBLIC, publicKeyPem(pair.publicKey));

/** Names that sort differently by code point and by path segment, that hold colons, that are not ASCII. */
const NAMES = ["a/b", "a-b", "a.b", "a/c/d.bin", "é/ü", "😀", "～", "x:0:10", "empty", "sub/.git/cfg", "A B"];

let models = 0;
function makeModel(names: readonly string[] = NAMES): string {
  models += 1;
  const folder = join(scratch, `model-${models}`);
  for (const name of names) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), name === "empty" ? "" : `the content of ${name}`);
  }
  return folder;
}

function run(program: string, ...args: string[]): { ok: boolean; said: string } {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8", timeout: 120_000 });
  return { ok: status === 0, said: `${stdout}${stderr}` };
}

const theirs = (signature: string, path: string, ...more: string[]) =>
  run(python.path, "verify", "key", "--public_key", PUBLIC, "--signature", signature, ...more, path);

function ours(
  path: string,
  more: { signature?: string; signer?: ExpectedModelSigner; ignoreUnsignedFiles?: boolean } = {},
): Promise<ModelVerdict> {
  return verifyModel({
    path,
    signature: undefined,
    signer: { by: "key", publicKey: pair.publicKey },
    trustedRoot: undefined,
    ignoreUnsignedFiles: false,
    now: new Date(),
    ...more,
  });
}

async function accepted(...args: Parameters<typeof ours>): Promise<ModelVerdict> {
  const verdict = await ours(...args);
  assert.equal(verdict.outcome, "allow", JSON.stringify(verdict.findings, null, 1));
  return verdict;
}

async function denied(code: string, ...args: Parameters<typeof ours>): Promise<ModelVerdict> {
  const verdict = await ours(...args);
  assert.equal(verdict.outcome, "deny");
  assert.ok(
    verdict.findings.some((finding) => finding.code === code),
    `${code} is not among ${verdict.findings.map((finding) => `${finding.code} ${finding.message}`).join("; ")}`,
  );
  return verdict;
}

test("model_signing accepts a folder that Waybill signed, with any names", needs, async () => {
  const path = makeModel([...NAMES, ".gitattributes"]);
  const { file, files } = await signModel(path, keySigner(key));
  assert.equal(file, join(path, "model.sig"));
  assert.equal(files, NAMES.length);
  const result = theirs(file, path);
  assert.ok(result.ok, result.said);
  assert.equal((await accepted(path)).compared, NAMES.length);
  // Signed again, the first signature is not part of the model.
  await signModel(path, keySigner(key));
  assert.ok(theirs(file, path).ok);
});

test("model_signing accepts a single file that Waybill signed", needs, async () => {
  const path = join(makeModel(), "a/b");
  const { file } = await signModel(path, keySigner(key));
  assert.equal(file, `${path}.sig`);
  const result = theirs(file, path);
  assert.ok(result.ok, result.said);
  await accepted(path);
});

test("model_signing accepts a model with links, which are signed as what they lead to", needs, async () => {
  const path = makeModel();
  symlinkSync("a.b", join(path, "link"));
  symlinkSync("a", join(path, "folder-link"));
  const { file, links } = await signModel(path, keySigner(key));
  assert.equal(links, 2);
  const result = theirs(file, path, "--allow_symlinks");
  assert.ok(result.ok, result.said);
  await accepted(path);
  rmSync(join(path, "link"));
  symlinkSync("a-b", join(path, "link"));
  await denied("WB-MODEL-033", path);
  assert.ok(!theirs(file, path, "--allow_symlinks").ok);
});

for (const curve of ["P-256", "P-384", "P-521"])
  test(`a model that model_signing signed with ${curve} is accepted`, needs, async () => {
    const path = makeModel();
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: curve });
    const pem = join(scratch, `${curve}.pem`);
    writeFileSync(pem, privateKey.export({ type: "pkcs8", format: "pem" }));
    const signature = join(path, "model.sig");
    const signed = run(python.path, "sign", "key", "--private_key", pem, "--signature", signature, path);
    assert.ok(signed.ok, signed.said);
    const signer = { by: "key", publicKey } as const;
    const verdict = await accepted(path, { signer });
    assert.equal(verdict.advisory.length, 0);
    await denied("WB-SIGN-003", path);
    // By path segments, not by code points: read as it is recorded.
    const read = readOmsBundle(readFileSync(signature, "utf8"));
    assert.ok(!("problem" in read));
    const order = read.manifest.resources.map((resource) => resource.path);
    assert.ok(order.indexOf("a/b") < order.indexOf("a-b"));
    writeFileSync(join(path, "a-b"), "other");
    await denied("WB-MODEL-033", path, { signer });
  });

test("a single file that model_signing signed is accepted, under its own name too", needs, async () => {
  const path = join(makeModel(), "a.b");
  const pem = join(scratch, "single.pem");
  writeFileSync(pem, pair.privateKey.export({ type: "pkcs8", format: "pem" }));
  const signature = join(scratch, "single.sig");
  assert.ok(run(python.path, "sign", "key", "--private_key", pem, "--signature", signature, path).ok);
  await accepted(path, { signature });
  writeFileSync(path, "other");
  await denied("WB-MODEL-033", path, { signature });
});

test("what a signer ignored is shown, and not part of what is proved", needs, async () => {
  const path = makeModel([...NAMES, "notes/todo", "notes/deep/more"]);
  const pem = join(scratch, "ignoring.pem");
  writeFileSync(pem, pair.privateKey.export({ type: "pkcs8", format: "pem" }));
  const signature = join(path, "model.sig");
  const args = ["--private_key", pem, "--signature", signature, "--ignore-paths", join(path, "notes"), path];
  const signed = run(python.path, "sign", "key", ...args);
  assert.ok(signed.ok, signed.said);
  const { advisory } = await accepted(path);
  assert.deepEqual(
    advisory.map(({ code }) => code),
    ["WB-MODEL-035"],
  );
  assert.equal(advisory[0]!.details?.length, 2);
  // Only below that very path.
  writeFileSync(join(path, "notes.bin"), "x");
  await denied("WB-MODEL-034", path);
});

const TAMPERING: Record<string, [code: string, change: (path: string) => void]> = {
  "a changed byte": ["WB-MODEL-033", (path) => writeFileSync(join(path, "a-b"), "the content of a-B")],
  "an extra file": ["WB-MODEL-034", (path) => writeFileSync(join(path, "a/extra.py"), "import os")],
  "an empty extra file": ["WB-MODEL-034", (path) => writeFileSync(join(path, "__init__.py"), "")],
  "a missing file": ["WB-MODEL-033", (path) => rmSync(join(path, "a/b"))],
  "a renamed file": ["WB-MODEL-033", (path) => renameSync(join(path, "a.b"), join(path, "a_b"))],
  "two files with their names swapped": [
    "WB-MODEL-033",
    (path) => {
      renameSync(join(path, "a.b"), join(path, "t"));
      renameSync(join(path, "a-b"), join(path, "a.b"));
      renameSync(join(path, "t"), join(path, "a-b"));
    },
  ],
  "a file turned into a link to the same bytes": [
    "WB-MODEL-033",
    (path) => {
      cpSync(join(path, "a-b"), join(path, "copy"));
      rmSync(join(path, "a-b"));
      symlinkSync("copy", join(path, "a-b"));
    },
  ],
};

for (const [what, [code, change]] of Object.entries(TAMPERING))
  test(`${what} is refused, by model_signing too`, async () => {
    const path = makeModel();
    const { file } = await signModel(path, keySigner(key));
    change(path);
    await denied(code, path);
    if (python.path !== "") assert.ok(!theirs(file, path).ok);
  });

test("files that nobody signed are accepted only where that is asked for, and shown", needs, async () => {
  const path = makeModel();
  const { file } = await signModel(path, keySigner(key));
  writeFileSync(join(path, "README"), "x");
  await denied("WB-MODEL-034", path);
  const { advisory } = await accepted(path, { ignoreUnsignedFiles: true });
  assert.deepEqual(
    advisory.map(({ code }) => code),
    ["WB-MODEL-034"],
  );
  assert.ok(theirs(file, path, "--ignore_unsigned_files").ok);
});

test("another key, and a changed signature file, are refused", async () => {
  const path = makeModel();
  const { file } = await signModel(path, keySigner(key));
  const other = generateKeyPair().publicKey;
  await denied("WB-SIGN-003", path, { signer: { by: "key", publicKey: other } });
  const bundle = JSON.parse(readFileSync(file, "utf8"));
  const payload = Buffer.from(bundle.dsseEnvelope.payload, "base64").toString();
  const put = (changed: string) => {
    bundle.dsseEnvelope.payload = Buffer.from(changed).toString("base64");
    writeFileSync(file, JSON.stringify(bundle));
  };
  put(payload.replace('"a-b"', '"a-B"'));
  await denied("WB-SIGN-003", path);
  put(payload.replace(/"sha256":"[0-9a-f]{4}/, '"sha256":"0000'));
  await denied("WB-MODEL-031", path);
  writeFileSync(file, "{}");
  await denied("WB-MODEL-031", path);
});

/** A bundle over any statement, signed well. */
function signedBundle(statement: unknown, by: KeyObject, publicKey: Record<string, unknown>): string {
  const type = "application/vnd.in-toto+json";
  const payload = Buffer.from(JSON.stringify(statement, null, 2));
  const sig = sign("sha256", preAuthEncoding(type, payload), by).toString("base64");
  return JSON.stringify({
    mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
    verificationMaterial: { publicKey },
    dsseEnvelope: {
      payload: payload.toString("base64"),
      payloadType: type,
      signatures: [{ sig, keyid: null }],
    },
  });
}

test("older forms are accepted: a key as bytes, no tlogEntries, statements of 0.2", async () => {
  const path = makeModel(["a", "b/c"]);
  const file = (name: string) => ({ name, digest: { sha256: sha256(`the content of ${name}`) } });
  const statement = {
    _type: STATEMENT_TYPE,
    subject: [file("a"), file("b/c")],
    predicateType: "https://model_signing/Digests/v0.1",
    predicate: { unused: "Unused, just passed due to API requirements" },
  };
  const pem = publicKeyPem(createPublicKey(pair.privateKey));
  const rawBytes = Buffer.from(pem).toString("base64");
  writeFileSync(
    join(path, "model.sig"),
    signedBundle(statement, pair.privateKey, { rawBytes, keyDetails: "PKIX_ECDSA_P256_SHA_256" }),
  );
  const verdict = await accepted(path);
  assert.equal(verdict.notEvaluated.length, 1);
  writeFileSync(join(path, "c"), "");
  await denied("WB-MODEL-034", path);
});

/** Signs through the Python API, which knows more than the command line. */
const API = `
import sys, pathlib
from model_signing import hashing, signing
model, key, signature, method, algorithm, size = sys.argv[1:7]
config = hashing.Config()
if method == "shards":
    config.use_shard_serialization(hashing_algorithm=algorithm, shard_size=int(size))
else:
    config.use_file_serialization(hashing_algorithm=algorithm)
config.set_ignored_paths(paths=["model.sig"])
signing.Config().use_elliptic_key_signer(private_key=key).set_hashing_config(config).sign(model, signature)
`;

for (const [method, algorithm] of [
  ["shards", "sha256"],
  ["shards", "blake2"],
  ["files", "blake2"],
  ["files", "blake3"],
] as const)
  test(
    `method ${method} with ${algorithm}, as model_signing's API signs it, is accepted`,
    needs,
    async () => {
      const path = makeModel();
      writeFileSync(join(path, "weights"), Buffer.alloc(5003, 7));
      const pem = join(scratch, "api.pem");
      writeFileSync(pem, pair.privateKey.export({ type: "pkcs8", format: "pem" }));
      const interpreter = join(dirname(realpathSync(python.path)), "python3");
      const args = [path, pem, join(path, "model.sig"), method, algorithm, "1000"];
      const signed = run(interpreter, "-c", API, ...args);
      assert.ok(signed.ok, signed.said);
      await accepted(path);
      for (const change of [Buffer.alloc(5003, 8), Buffer.alloc(5004, 7), Buffer.alloc(5000, 7)]) {
        writeFileSync(join(path, "weights"), change);
        await denied("WB-MODEL-033", path);
      }
    },
  );

test("a chain that model_signing signs with is accepted under its root, and under no other", {
  skip: needs.skip || (openssl ? false : "openssl is not installed"),
}, async () => {
  const at = (name: string) => join(scratch, name);
  const make = (...args: string[]) => {
    const made = run("openssl", ...args);
    assert.ok(made.ok, made.said);
  };
  for (const name of ["root", "other"])
    make(
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-nodes", "-days", "30"],
      ...["-subj", `/CN=${name}`, "-addext", "keyUsage=critical,keyCertSign"],
      ...["-keyout", at(`${name}.key`), "-out", at(`${name}.pem`)],
    );
  const issue = (name: string, issuer: string, extensions: string) => {
    writeFileSync(at(`${name}.ext`), extensions);
    make(
      ...["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", `/CN=${name}`],
      ...["-keyout", at(`${name}.key`), "-out", at(`${name}.csr`)],
    );
    make(
      ...[
        "x509",
        "-req",
        "-in",
        at(`${name}.csr`),
        "-CA",
        at(`${issuer}.pem`),
        "-CAkey",
        at(`${issuer}.key`),
      ],
      ...["-days", "30", "-extfile", at(`${name}.ext`), "-out", at(`${name}.pem`)],
    );
  };
  issue("middle", "root", "basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign\n");
  issue("signer", "middle", "keyUsage=critical,digitalSignature\nextendedKeyUsage=codeSigning\n");
  const path = makeModel();
  const signed = run(
    python.path,
    ...["sign", "certificate", "--private_key", at("signer.key"), "--signing_certificate", at("signer.pem")],
    ...["--certificate_chain", at("middle.pem"), "--signature", join(path, "model.sig"), path],
  );
  assert.ok(signed.ok, signed.said);
  const verdict = await accepted(path, { signer: { by: "chain", file: at("root.pem") } });
  assert.match(verdict.signedBy ?? "", /CN=signer/);
  await denied("WB-SIGN-011", path, { signer: { by: "chain", file: at("other.pem") } });
  await denied("WB-SIGN-002", path);
  writeFileSync(join(path, "a-b"), "other");
  await denied("WB-MODEL-033", path, { signer: { by: "chain", file: at("root.pem") } });
});
