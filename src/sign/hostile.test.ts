import assert from "node:assert/strict";
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { sha256 } from "../core/digest.ts";
import { cosignatureSigner, cosignatureVerifier } from "../core/note.ts";
import { parseBundle } from "./bundle.ts";
import { issuerOf, readCertificate, subjectsOf, usageOf } from "./certificate.ts";
import { verifyChain } from "./certificate-chain.ts";
import { childrenOf, readDer } from "./der.ts";
import { loadPrehashVerifier } from "./prehash.ts";
import {
  bundleOf,
  type CertificateOptions,
  der,
  extension,
  type Issued,
  issue,
  PrivateSigstore,
  signThing,
} from "./private-sigstore.test.ts";
import { checkTimestamp } from "./timestamp.ts";
import { type NamedRoot, parseTrustedRoot } from "./trusted-root.ts";
import { type Artifact, type Authority, verifyBundle } from "./verify-bundle.ts";

// Attacks on the verifier, each by somebody who can do what its title says.

// biome-ignore lint/suspicious/noExplicitAny: tests reach anywhere
type Loose = any;

const home = new PrivateSigstore();
const other = new PrivateSigstore();
const { start } = home;
const file = Buffer.from("the artifact");
const key = generateKeyPairSync("ec", { namedCurve: "P-256" });
const uri = (text: string) => der(0x86, Buffer.from(text, "latin1"));

function rootOf(
  sigstore: PrivateSigstore,
  name: string,
  change: (root: Loose) => void = () => {},
): NamedRoot {
  const data: Loose = sigstore.trustedRoot();
  change(data);
  const root = parseTrustedRoot(data);
  return "problem" in root ? assert.fail(root.problem) : { name, root };
}

function verdict(
  bundle: Loose,
  roots: readonly NamedRoot[] = [rootOf(home, "home")],
  more: Partial<Authority> = {},
  artifact: Artifact = { bytes: file },
): string {
  const parsed = parseBundle(JSON.stringify(bundle), { maxBytes: 16 << 20 });
  if ("problem" in parsed) return `WB-SIGN-010 ${parsed.problem}`;
  const result = verifyBundle(parsed, { roots, findKey: () => key.publicKey, ...more }, artifact);
  if ("problem" in result) return `${result.problem.code} ${result.problem.detail}`;
  const by = result.signer.kind === "key" ? "key" : result.signer.identity.root;
  return `${by} ${result.times.length} ${result.logged.length}`;
}

/** By a certificate of `home`, with a timestamp and an entry of whichever Sigstore. */
function keyless(
  options: {
    certificate?: CertificateOptions;
    issued?: Issued;
    stampedBy?: PrivateSigstore;
    loggedBy?: PrivateSigstore;
    version?: "0.0.1" | "0.0.2";
  } = {},
): Loose {
  const { stampedBy = home, loggedBy = home, version = "0.0.2" } = options;
  const signer = options.issued ?? home.certificate(options.certificate);
  const { data, signature } = signThing(signer, { file });
  const body = loggedBy.body(data, signature, signer, version);
  const timestamps = version === "0.0.2" ? [stampedBy.timestamp(signature)] : [];
  return bundleOf({ file }, signature, signer, { entries: [loggedBy.entry(body)], timestamps });
}

function byKey(loggedBy?: PrivateSigstore, stampedBy?: PrivateSigstore): Loose {
  const { data, signature } = signThing(key, { file });
  return bundleOf({ file }, signature, key, {
    entries: loggedBy ? [loggedBy.entry(loggedBy.body(data, signature, key, "0.0.2"))] : [],
    timestamps: stampedBy ? [stampedBy.timestamp(signature)] : [],
  });
}

const both = [rootOf(home, "home"), rootOf(other, "other")];

test("a root's logs and timestamp authorities do not vouch for another root's certificates", () => {
  assert.equal(verdict(keyless(), both), "home 1 1");
  assert.equal(verdict(keyless(), both.toReversed()), "home 1 1");
  const noLogs = rootOf(home, "home", (root) => (root.tlogs = []));
  assert.match(verdict(keyless({ stampedBy: other }), [noLogs, both[1]!]), /^WB-SIGN-015/);
  assert.match(verdict(keyless({ loggedBy: other }), both), /^WB-LOG-001/);
  const v1 = keyless({ loggedBy: other, version: "0.0.1" });
  assert.match(verdict(v1, [noLogs, both[1]!]), /^WB-SIGN-015/);
  // Its certificate transparency log is another's as well.
  const elsewhere = rootOf(home, "home", (root) => (root.ctlogs = (other.trustedRoot() as Loose).ctlogs));
  assert.match(verdict(keyless(), [elsewhere]), /^WB-SIGN-016/);
});

test("what a root has no say in cannot harm its neighbour's certificates", () => {
  const bundle = keyless();
  const foreign = keyless({ loggedBy: other, stampedBy: other }).verificationMaterial;
  bundle.verificationMaterial.tlogEntries.push(...foreign.tlogEntries);
  const stamps = bundle.verificationMaterial.timestampVerificationData.rfc3161Timestamps;
  assert.equal(verdict(bundle, both), "home 1 1");
  stamps.push(...foreign.timestampVerificationData.rfc3161Timestamps);
  // A timestamp over something else is malformed whoever made it.
  assert.match(verdict(bundle, both), /^WB-LOG-004/);
});

test("for a key any root's log and timestamp authority will do", () => {
  assert.equal(verdict(byKey(other, home), both, { requireLog: true, requireTime: true }), "key 1 1");
});

test("a certificate that is in no log of its root is refused, whether a log is asked for or not", () => {
  const bundle = keyless();
  bundle.verificationMaterial.tlogEntries = [];
  assert.match(verdict(bundle), /^WB-LOG-001/);
  assert.equal(verdict(bundle, [rootOf(home, "home", (root) => (root.tlogs = []))]), "home 1 0");
});

test("a certificate hidden as PEM in another one lends it neither key nor signature", () => {
  const mine = home.certificate({ names: [uri("https://mallory.test")] });
  const pem = Buffer.from(`\n${new X509Certificate(mine.der).toString()}\n`);
  const forged = issue({
    names: [uri("https://alice.test")],
    issuerName: "intermediate",
    extra: [extension("1.2.3.4", false, pem)],
    notBefore: start,
    notAfter: start + 600_000,
  });
  const read = readCertificate(forged.der);
  assert.ok("problem" in read);
  assert.match(verdict(keyless({ issued: { ...mine, der: forged.der } })), /^WB-SIGN-010/);
  const chain = [forged.der, home.intermediate.der];
  assert.match(
    verifyChain(chain, [new X509Certificate(home.root.der)], new Date(start)) ?? "",
    /not one certificate/,
  );
});

const child = (bytes: Buffer, at: number) => childrenOf(readDer(bytes))[at]!.raw;

test("certificates that other verifiers refuse are refused", () => {
  const good = home.certificate();
  const [tbs, , signature] = [0, 1, 2].map((at) => child(good.der, at)) as [Buffer, Buffer, Buffer];
  const sha384 = der(0x30, der(0x06, Buffer.from("2a8648ce3d040303", "hex")));
  const mixed = { ...good, der: der(0x30, tbs, sha384, signature) };
  assert.match(verdict(keyless({ issued: mixed })), /^WB-SIGN-011/);
  assert.match(verdict(keyless({ certificate: { digest: "sha1" } })), /^WB-SIGN-011.*broken/);
  const small = generateKeyPairSync("rsa", { modulusLength: 1024 });
  assert.match(verdict(keyless({ certificate: { keys: small } })), /^WB-SIGN-010.*2048/);
  const twice = [
    extension("1.2.3.4", false, Buffer.from("a")),
    extension("1.2.3.4", false, Buffer.from("b")),
  ];
  assert.match(verdict(keyless({ certificate: { extra: twice } })), /^WB-SIGN-010.*twice/);
  const unknown = [extension("1.2.3.4", true, Buffer.from("a"))];
  assert.match(verdict(keyless({ certificate: { extra: unknown } })), /^WB-SIGN-011.*not understood/);
});

test("an authority with name constraints certifies nobody, for they are not evaluated", () => {
  for (const critical of [true, false]) {
    const constraints = extension("2.5.29.30", critical, der(0x30));
    const limited = {
      ...issue({ subject: "limited", ca: true, usages: null, extra: [constraints] }, home.root),
      name: "limited",
    };
    const leaf = issue({ names: [uri("https://a.test")] }, limited);
    const result = verifyChain(
      [leaf.der, limited.der],
      [new X509Certificate(home.root.der)],
      new Date(start),
    );
    assert.match(result ?? "", /2\.5\.29\.30/);
  }
});

test("a name that two readers can read differently is none", () => {
  for (const name of [uri("https://alice.test\0.mallory.test"), uri("https://alice.test/\xff")])
    assert.match(verdict(keyless({ certificate: { names: [name] } })), /^WB-SIGN-010.*no text/);
});

test("a timestamp by a certificate that is not for timestamps alone is refused", () => {
  const stamping = "1.3.6.1.5.5.7.3.8";
  const noLeaf = rootOf(home, "home", (root) => root.timestampAuthorities[0].certChain.certificates.shift());
  const signer = home.certificate();
  const { signature } = signThing(signer, { file });
  const check = (options: CertificateOptions) => {
    const by = issue({ subject: "another", ...options }, home.tsaRoot);
    const stamp = home.timestamp(signature, undefined, { by, embed: true });
    return checkTimestamp(stamp, signature, noLeaf.root.timestampAuthorities).status;
  };
  assert.equal(check({ usages: [stamping] }), "valid");
  assert.equal(check({ usages: [stamping, "1.3.6.1.5.5.7.3.1"] }), "invalid");
  assert.equal(check({ usages: [stamping], usagesCritical: false }), "invalid");
});

test("a timestamp signs which certificate its signer's is; the name outside of the signature decides nothing", () => {
  const { timestampAuthorities } = rootOf(home, "home").root;
  const signature = Buffer.from("signature");
  const check = (options: Parameters<PrivateSigstore["timestamp"]>[2]) =>
    checkTimestamp(home.timestamp(signature, undefined, options), signature, timestampAuthorities).status;
  assert.equal(check({}), "valid");
  assert.equal(check({ names: "nobody" }), "invalid");
  assert.equal(check({ names: home.tsaRoot }), "invalid");
});

test("a timestamp may name its signer by the subject key identifier", () => {
  const keyId = Buffer.from("the key's identifier");
  const extra = [extension("2.5.29.14", false, der(0x04, keyId))];
  const by = issue({ subject: "tsa", usages: ["1.3.6.1.5.5.7.3.8"], extra }, home.tsaRoot);
  const { timestampAuthorities } = rootOf(home, "home", (root) => {
    root.timestampAuthorities[0].certChain.certificates[0].rawBytes = by.der.toString("base64");
  }).root;
  const signature = Buffer.from("signature");
  const check = (named: Buffer) =>
    checkTimestamp(
      home.timestamp(signature, undefined, { by, keyId: named }),
      signature,
      timestampAuthorities,
    ).status;
  assert.equal(check(keyId), "valid");
  assert.equal(check(Buffer.from("another key's")), "unknown");
});

test("a timestamp authority's chain holds up to its root, not only to the first certificate that is listed", () => {
  const usages = ["1.3.6.1.5.5.7.3.8"];
  const top = { ...issue({ subject: "top", ca: true, usages: null, notAfter: start }), name: "top" };
  const middle = { ...issue({ subject: "middle", ca: true, usages }, top), name: "middle" };
  const by = issue({ subject: "leaf", usages }, middle);
  const { timestampAuthorities } = rootOf(home, "home", (root) => {
    root.timestampAuthorities[0].certChain.certificates = [by, middle, top].map((each) => ({
      rawBytes: each.der.toString("base64"),
    }));
  }).root;
  const signature = Buffer.from("signature");
  const at = (time: number) =>
    checkTimestamp(home.timestamp(signature, time, { by }), signature, timestampAuthorities).status;
  assert.equal(at(start - 1000), "valid");
  assert.equal(at(start + 1000), "invalid");
});

test("the key of a log that is trusted no more makes no new entries that count", () => {
  const retired = [
    rootOf(home, "home", (root) => (root.tlogs[1].publicKey.validFor.end = "2026-06-01T00:00:00Z")),
  ];
  assert.equal(verdict(byKey(home), retired), "key 0 0");
  assert.match(verdict(byKey(home), retired, { requireLog: true }), /^WB-LOG-001/);
  assert.equal(verdict(byKey(home, home), retired, { requireLog: true }), "key 1 1");
});

test("a time beyond all dates is refused, also where a trusted log or witness gives it", () => {
  const { data, signature } = signThing(key, { file });
  const entry = home.entry(home.body(data, signature, key, "0.0.1"), 2 ** 52 * 1000);
  assert.match(verdict(bundleOf({ file }, signature, key, { entries: [entry] })), /^WB-SIGN-010/);
  const witness = generateKeyPairSync("ed25519");
  const late = cosignatureSigner("witness.test", witness.privateKey, () => 2 ** 52).sign("text\n");
  const verifier = cosignatureVerifier("witness.test", witness.publicKey);
  assert.equal(verifier.time?.(late), undefined);
  assert.match(verifier.verify("text\n", late) ?? "", /no time/);
});

test("a signature over a file is verified by the file's digest, its log entry too", async () => {
  const prehashed = await loadPrehashVerifier();
  const by = (of: Uint8Array): Artifact => ({ sha256: sha256(of), prehashed });
  assert.equal(verdict(keyless(), undefined, {}, by(file)), "home 1 1");
  assert.match(verdict(keyless(), undefined, {}, by(Buffer.from("x"))), /^WB-SIGN-012/);
  const unstated = keyless();
  delete unstated.messageSignature.messageDigest;
  assert.equal(verdict(unstated, undefined, {}, by(file)), "home 1 1");
  assert.match(verdict(unstated, undefined, {}, by(Buffer.from("x"))), /^WB-SIGN-003/);
  const wide = generateKeyPairSync("ec", { namedCurve: "P-384" });
  assert.match(verdict(byKey(), undefined, { findKey: () => wide.publicKey }, by(file)), /^WB-SIGN-012/);
});

test("a trusted root with a date that does not exist is none", () => {
  for (const date of ["2026-02-31T00:00:00Z", "2026-01-01T24:00:00Z"]) {
    const data: Loose = home.trustedRoot();
    data.tlogs[0].publicKey.validFor.start = date;
    assert.ok("problem" in parseTrustedRoot(data), date);
  }
});

test("no bytes make the reader of certificates throw, and what it reads is what Node reads", () => {
  const bytes = home.certificate().der;
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
      (changes) => {
        const changed = Buffer.from(bytes);
        for (const [at, value] of changes) changed[at] = value;
        const read = readCertificate(changed);
        if ("problem" in read) return;
        assert.deepEqual(read.x509.raw, changed);
        assert.equal(read.notAfter, read.x509.validToDate.getTime());
        usageOf(read);
        subjectsOf(read);
        issuerOf(read);
      },
    ),
    { numRuns: 3000 },
  );
});

test("deep or endless lengths in DER are refused at once", () => {
  const nested = Buffer.concat(Array.from({ length: 20_000 }, () => Buffer.from([0x30, 0x80])));
  for (const bytes of [nested, Buffer.from("3084ffffffff", "hex"), Buffer.from("30820001ff", "hex")]) {
    assert.throws(() => readDer(bytes));
    assert.ok("problem" in readCertificate(bytes));
    assert.equal(
      checkTimestamp(bytes, file, rootOf(home, "home").root.timestampAuthorities).status,
      "invalid",
    );
  }
});

test("the dearest bundle is judged within seconds", () => {
  const { signature } = signThing(key, { file });
  const signer = home.certificate();
  const signed = signThing(signer, { file });
  // Every helper may have issued every other one.
  const twin = issue({ subject: "intermediate", ca: true, usages: null });
  const helpers = Array.from({ length: 9 }, () =>
    issue({ subject: "intermediate", ca: true, usages: null }, { ...twin, name: "intermediate" }),
  );
  const bundle = bundleOf({ file }, signed.signature, signer, {
    timestamps: Array.from({ length: 32 }, () => home.timestamp(signed.signature)),
  });
  const { certificate, ...material } = bundle.verificationMaterial as Loose;
  const certificates = [certificate, ...helpers.map((each) => ({ rawBytes: each.der.toString("base64") }))];
  bundle.verificationMaterial = { ...material, x509CertificateChain: { certificates } };
  const roots = [rootOf(home, "home", (root) => (root.tlogs = []))];
  const begun = performance.now();
  assert.equal(verdict(bundle, roots), "home 32 0");
  // 16 MiB of statement, of numbers without end, of digits.
  const wide = `{"_type":"https://in-toto.io/Statement/v1","predicateType":"t","predicate":[${"0,".repeat(5 << 20)}0]}`;
  const long = bundleOf({ statement: wide }, signThing(key, { statement: wide }).signature, key);
  assert.match(verdict(long), /^WB-SIGN-010/);
  const digits = JSON.stringify(bundleOf({ file }, signature, key)).replace(
    '"tlogEntries":[]',
    `"tlogEntries":[${"1".repeat(15 << 20)}]`,
  );
  assert.ok("problem" in parseBundle(digits, { maxBytes: 16 << 20 }));
  assert.ok(performance.now() - begun < 10_000);
});
