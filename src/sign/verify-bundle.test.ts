import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { bundleFromJSON } from "@sigstore/bundle";
import { TrustedRoot } from "@sigstore/protobuf-specs";
import { toSignedEntity, toTrustMaterial, Verifier } from "@sigstore/verify";
import fc from "fast-check";
import type { Json } from "../core/canonical-json.ts";
import { sha256 } from "../core/digest.ts";
import { parseBundle } from "./bundle.ts";
import type { Established } from "./established.ts";
import {
  bundleOf,
  type CertificateOptions,
  issue,
  PrivateSigstore,
  signThing,
} from "./private-sigstore.test.ts";
import { parseTrustedRoot } from "./trusted-root.ts";
import { type Artifact, type Authority, type BundleProblem, verifyBundle } from "./verify-bundle.ts";

const sigstore = new PrivateSigstore();
const file = Buffer.from("the artifact");
const statement = JSON.stringify({
  _type: "https://in-toto.io/Statement/v1",
  subject: [{ name: "a", digest: { sha256: sha256(file) } }],
  predicateType: "https://example.com/t",
  predicate: {},
});
const key = generateKeyPairSync("ec", { namedCurve: "P-256" });
const { start } = sigstore;

// biome-ignore lint/suspicious/noExplicitAny: tests reach anywhere
type Loose = any;

function authority(change: (root: Loose) => void = () => {}, more: Partial<Authority> = {}): Authority {
  const data = sigstore.trustedRoot();
  change(data);
  const root = parseTrustedRoot(data);
  if ("problem" in root) assert.fail(root.problem);
  return { roots: [{ name: "test", root }], findKey: () => key.publicKey, ...more };
}

function verdict(bundle: Loose, by = authority(), artifact: Artifact | undefined = { bytes: file }) {
  const parsed = parseBundle(JSON.stringify(bundle));
  if ("problem" in parsed) return { problem: { code: "WB-SIGN-010", detail: parsed.problem } } as const;
  return verifyBundle(parsed, by, artifact);
}

function good(result: Established | { problem: BundleProblem }): Established {
  return "problem" in result ? assert.fail(`${result.problem.code} ${result.problem.detail}`) : result;
}

function code(result: Established | { problem: BundleProblem }): string {
  return "problem" in result ? result.problem.code : "accepted";
}

/** A bundle by a certificate, logged in Rekor v2 with a timestamp; parts of it can be made otherwise. */
function keyless(
  options: {
    over?: { statement: string } | { file: Buffer };
    certificate?: CertificateOptions;
    sct?: "good" | "bad" | "unknown" | "none";
    at?: number;
    version?: "0.0.1" | "0.0.2";
    timestamps?: (signature: Buffer) => Buffer[];
    body?: (body: Loose) => void;
    notes?: (text: string) => string;
    issued?: ReturnType<typeof issue>;
  } = {},
): Loose {
  const over = options.over ?? { statement };
  const version = options.version ?? "0.0.2";
  const signer = options.issued ?? sigstore.certificate(options.certificate, options.sct);
  const { data, signature } = signThing(signer, over);
  const body = sigstore.body(data, signature, signer, version);
  options.body?.(body);
  const timestamps =
    options.timestamps?.(signature) ??
    (version === "0.0.2" ? [sigstore.timestamp(signature, options.at)] : []);
  return bundleOf(over, signature, signer, {
    entries: [sigstore.entry(body, options.at, options.notes)],
    timestamps,
  });
}

function byKey(options: { over?: { statement: string } | { file: Buffer }; log?: boolean } = {}): Loose {
  const over = options.over ?? { statement };
  const { data, signature } = signThing(key, over);
  const entries = options.log ? [sigstore.entry(sigstore.body(data, signature, key, "0.0.2"))] : [];
  return bundleOf(over, signature, key, { entries });
}

test("a certificate with Rekor v2 and a timestamp establishes who, when and where", () => {
  for (const over of [{ statement }, { file }]) {
    const { signer, times, logged } = good(
      verdict(
        keyless({ over }),
        authority(() => {}, { requireLog: true }),
      ),
    );
    assert.deepEqual(signer, {
      kind: "certificate",
      identity: {
        issuer: "https://issuer.test",
        subjects: ["https://ci.test/job@refs/heads/main"],
        root: "test",
        notBefore: start,
        notAfter: start + 600_000,
      },
    });
    assert.deepEqual(times, [{ at: start + 1000, by: "rfc3161", authority: "https://tsa.test" }]);
    assert.deepEqual(
      logged.map(({ origin, index, witnesses, checkpoint }) => [origin, index, witnesses, checkpoint?.size]),
      [["log.test", 1, [], 3]],
    );
  }
});

test("a certificate with Rekor v1: its SET is the time and covers the index over all shards", () => {
  const { times, logged } = good(verdict(keyless({ version: "0.0.1" })));
  assert.deepEqual(times, [{ at: start + 2000, by: "rekor-set", authority: "https://rekor.test" }]);
  assert.deepEqual([logged[0]?.origin, logged[0]?.index], ["rekor.test - 42", 1001]);
});

test("a second opinion: the library of other clients accepts the same bundles, and refuses the same changes", () => {
  const material = toTrustMaterial(TrustedRoot.fromJSON(sigstore.trustedRoot()));
  const theirs = (bundle: Loose) =>
    new Verifier(material, { timestampThreshold: 1 }).verify(toSignedEntity(bundleFromJSON(bundle), file));
  for (const version of ["0.0.1", "0.0.2"] as const) {
    for (const over of [{ statement }, { file }]) theirs(keyless({ over, version }));
    const changed = keyless({ version, at: outside });
    assert.throws(() => theirs(changed));
    assert.notEqual(code(verdict(changed)), "accepted");
  }
});

test("a key needs no log and no time, unless they are demanded", () => {
  assert.deepEqual(good(verdict(byKey())), {
    signer: { kind: "key", keyId: sha256(key.publicKey.export({ type: "spki", format: "der" })) },
    times: [],
    logged: [],
  });
  assert.equal(good(verdict(byKey({ log: true }))).logged.length, 1);
  assert.equal(
    code(
      verdict(
        byKey(),
        authority(() => {}, { requireLog: true }),
      ),
    ),
    "WB-LOG-001",
  );
  assert.equal(
    code(
      verdict(
        byKey({ log: true }),
        authority(() => {}, { requireTime: true }),
      ),
    ),
    "WB-SIGN-015",
  );
  assert.equal(
    code(
      verdict(
        byKey(),
        authority(() => {}, { findKey: () => undefined }),
      ),
    ),
    "WB-SIGN-002",
  );
});

test("what is about something else is refused", () => {
  const other = { bytes: Buffer.from("other") };
  assert.equal(code(verdict(byKey(), authority(), other)), "WB-SIGN-012");
  assert.equal(code(verdict(byKey({ over: { file } }), authority(), other)), "WB-SIGN-012");
  assert.equal(
    code(verdict(byKey({ over: { file } }), authority(), { sha256: sha256(file) })),
    "WB-SIGN-012",
  );
  assert.equal(code(verdict(byKey(), authority(), { sha256: sha256("other") })), "WB-SIGN-012");
  good(verdict(byKey(), authority(), { sha256: sha256(file) }));
  const noDigest = byKey({ over: { file } });
  delete noDigest.messageSignature.messageDigest;
  good(verdict(noDigest));
  assert.equal(code(verdict(noDigest, authority(), other)), "WB-SIGN-003");
});

test("a subject whose digests disagree is no subject", () => {
  const said = JSON.parse(statement);
  said.subject[0].digest.sha512 = "00".repeat(64);
  assert.equal(code(verdict(byKey({ over: { statement: JSON.stringify(said) } }))), "WB-SIGN-012");
});

test("a statement of an unknown type, or of none, is not read as one", () => {
  for (const type of ["https://in-toto.io/Statement/v2", undefined]) {
    const said = { ...JSON.parse(statement), _type: type };
    assert.equal(code(verdict(byKey({ over: { statement: JSON.stringify(said) } }))), "WB-SIGN-010");
  }
  const older = { ...JSON.parse(statement), _type: "https://in-toto.io/Statement/v0.1" };
  good(verdict(byKey({ over: { statement: JSON.stringify(older) } })));
});

const outside = Date.UTC(2026, 5, 1);
const REFUSED: readonly [string, string, () => Loose, ((root: Loose) => void)?][] = [
  ["a signature by another key", "WB-SIGN-003", () => ({ ...keyless(), ...pick(byKey(), "dsseEnvelope") })],
  ["no time", "WB-SIGN-015", () => keyless({ timestamps: () => [] })],
  ["a time after the certificate's end", "WB-SIGN-014", () => keyless({ at: outside })],
  [
    "one of two times outside of the certificate",
    "WB-SIGN-014",
    () => keyless({ timestamps: (s) => [sigstore.timestamp(s), sigstore.timestamp(s, outside)] }),
  ],
  ["no SCT", "WB-SIGN-016", () => keyless({ sct: "none" })],
  ["an SCT that is forged", "WB-SIGN-016", () => keyless({ sct: "bad" })],
  ["an SCT of an unknown log", "WB-SIGN-016", () => keyless({ sct: "unknown" })],
  [
    "a certificate of another authority with the same name",
    "WB-SIGN-011",
    () => {
      const impostor = { ...issue({ subject: "intermediate", ca: true }), name: "intermediate" };
      const options = { names: [], notBefore: start, notAfter: start + 600_000 };
      return keyless({ issued: issue(options, impostor) });
    },
  ],
  [
    "a certificate for servers",
    "WB-SIGN-011",
    () => keyless({ certificate: { usages: ["1.3.6.1.5.5.7.3.1"] } }),
  ],
  [
    "a certificate for nothing in particular",
    "WB-SIGN-011",
    () => keyless({ certificate: { usages: null } }),
  ],
  [
    "an authority that was not trusted at that time",
    "WB-SIGN-011",
    () => keyless(),
    (root) => (root.certificateAuthorities[0].validFor.end = "2025-01-01T00:00:00Z"),
  ],
  [
    "a timestamp over something else",
    "WB-LOG-004",
    () => keyless({ timestamps: () => [sigstore.timestamp(Buffer.from("x"))] }),
  ],
  [
    "a timestamp signed by another key",
    "WB-LOG-004",
    () => keyless({ timestamps: (s) => [sigstore.timestamp(s, undefined, { keys: key })] }),
  ],
  [
    "a timestamp whose content was exchanged",
    "WB-LOG-004",
    () => keyless({ timestamps: (s) => [sigstore.timestamp(s, undefined, { wrongDigest: true })] }),
  ],
  [
    "a timestamp that was not granted",
    "WB-LOG-004",
    () => keyless({ timestamps: (s) => [sigstore.timestamp(s, undefined, { status: 2 })] }),
  ],
  ["a timestamp that is none", "WB-LOG-004", () => keyless({ timestamps: () => [Buffer.from([0x30, 0])] })],
  [
    "a timestamp outside of its authority's window",
    "WB-LOG-004",
    () => keyless(),
    (root) => (root.timestampAuthorities[0].validFor.end = "2025-01-01T00:00:00Z"),
  ],
  [
    "a timestamp of an authority that is not trusted",
    "WB-SIGN-015",
    () => keyless(),
    (root) => (root.timestampAuthorities = []),
  ],
  [
    "a timestamp by a certificate for other uses",
    "WB-LOG-004",
    () => {
      const by = issue({ subject: "other", usages: ["1.3.6.1.5.5.7.3.3"] }, sigstore.tsaRoot);
      return keyless({ timestamps: (s) => [sigstore.timestamp(s, undefined, { by, embed: true })] });
    },
    (root) => root.timestampAuthorities[0].certChain.certificates.shift(),
  ],
  [
    "an inclusion proof of another leaf",
    "WB-LOG-002",
    () => inEntry((e) => (e.inclusionProof.hashes[0] = zeros)),
  ],
  [
    "a proof that names another root",
    "WB-LOG-002",
    () => inEntry((e) => (e.inclusionProof.rootHash = zeros)),
  ],
  ["a proof that names another size", "WB-LOG-002", () => inEntry((e) => (e.inclusionProof.treeSize = "4"))],
  ["two indexes in Rekor v2", "WB-LOG-002", () => inEntry((e) => (e.logIndex = "2"))],
  [
    "a checkpoint that was changed",
    "WB-LOG-002",
    () =>
      inEntry(
        (e) =>
          (e.inclusionProof.checkpoint.envelope = e.inclusionProof.checkpoint.envelope.replace(
            "\n3\n",
            "\n4\n",
          )),
      ),
  ],
  [
    "a checkpoint that its log did not sign",
    "WB-LOG-002",
    () =>
      inEntry(
        (e) =>
          (e.inclusionProof.checkpoint.envelope = e.inclusionProof.checkpoint.envelope.replaceAll(
            "log.test",
            "log.other",
          )),
      ),
  ],
  [
    "a SET of another time",
    "WB-LOG-006",
    () => inEntry((e) => (e.integratedTime = String(start / 1000 + 9)), "0.0.1"),
  ],
  ["a SET of another index", "WB-LOG-006", () => inEntry((e) => (e.logIndex = "1002"), "0.0.1")],
  [
    "a SET of a time at which its log was not trusted",
    "WB-LOG-006",
    () => keyless({ version: "0.0.1" }),
    (root) => (root.tlogs[0].publicKey.validFor.end = "2025-01-01T00:00:00Z"),
  ],
  [
    "a log that was not trusted at the time of the timestamp",
    "WB-LOG-002",
    () => keyless(),
    (root) => (root.tlogs[1].publicKey.validFor.end = "2025-01-01T00:00:00Z"),
  ],
  [
    "an entry about another signature",
    "WB-LOG-003",
    () => keyless({ body: (b) => (b.spec.hashedRekordV002.signature.content = zeros) }),
  ],
  [
    "an entry about other content",
    "WB-LOG-003",
    () => keyless({ body: (b) => (b.spec.hashedRekordV002.data.digest = zeros) }),
  ],
  [
    "an entry by another signer",
    "WB-LOG-003",
    () =>
      keyless({ body: (b) => (b.spec.hashedRekordV002.signature.verifier.x509Certificate.rawBytes = zeros) }),
  ],
  [
    "an entry of another kind than it says",
    "WB-LOG-003",
    () => inEntry((e) => (e.kindVersion.kind = "dsse")),
  ],
];

const zeros = Buffer.alloc(32).toString("base64");

function pick(bundle: Loose, field: string): Loose {
  return { [field]: bundle[field] };
}

function inEntry(change: (entry: Loose) => void, version: "0.0.1" | "0.0.2" = "0.0.2"): Loose {
  const bundle = keyless({ version });
  change(bundle.verificationMaterial.tlogEntries[0]);
  return bundle;
}

for (const [what, expected, make, change] of REFUSED)
  test(`${what} is refused with ${expected}`, () => {
    assert.equal(code(verdict(make(), authority(change))), expected);
  });

test("a timestamp counts by the certificate that it carries, where its authority lists no leaf", () => {
  const by = issue({ subject: "other", usages: ["1.3.6.1.5.5.7.3.8"] }, sigstore.tsaRoot);
  const make = (embed: boolean) =>
    keyless({ timestamps: (s) => [sigstore.timestamp(s, undefined, { by, embed })] });
  const withoutLeaf = (root: Loose) => root.timestampAuthorities[0].certChain.certificates.shift();
  good(verdict(make(true), authority(withoutLeaf)));
  assert.equal(code(verdict(make(false), authority(withoutLeaf))), "WB-SIGN-015");
  // An authority that lists its leaf means that one.
  assert.equal(code(verdict(make(true))), "WB-SIGN-015");
});

test("a certificate's and an authority's ends are included", () => {
  const end = start + 600_000;
  good(verdict(keyless({ at: end })));
  good(
    verdict(
      keyless({ at: end }),
      authority((r) => (r.timestampAuthorities[0].validFor.end = new Date(end).toISOString())),
    ),
  );
  assert.equal(code(verdict(keyless({ at: end + 1000 }))), "WB-SIGN-014");
});

test("logs and authorities that nobody trusts neither help nor harm", () => {
  const bundle = byKey({ log: true });
  const result = good(
    verdict(
      bundle,
      authority((root) => (root.tlogs = [])),
    ),
  );
  assert.deepEqual(result.logged, []);
});

test("the same timestamp or entry twice is not read, and never counts twice", () => {
  const bundle = keyless();
  const { tlogEntries, timestampVerificationData: stamps } = bundle.verificationMaterial;
  tlogEntries.push(tlogEntries[0]);
  assert.equal(code(verdict(bundle)), "WB-SIGN-010");
  tlogEntries.pop();
  stamps.rfc3161Timestamps.push(stamps.rfc3161Timestamps[0]);
  assert.equal(code(verdict(bundle)), "WB-SIGN-010");
});

test("a trusted witness gives a time, and a quorum can be demanded", () => {
  const notes = () => `\u2014 witness.test ${Buffer.alloc(80, 5).toString("base64")}\n`;
  const witness = {
    name: "witness.test",
    keyId: "05050505",
    verify: () => null,
    time: () => start / 1000 + 5,
  };
  const bundle = keyless({ timestamps: () => [], notes });
  assert.equal(code(verdict(bundle)), "WB-SIGN-015");
  const by = (more: Partial<Authority>) => authority(() => {}, { witnesses: [witness], ...more });
  const { times, logged } = good(verdict(bundle, by({ requireWitnesses: 1 })));
  assert.deepEqual(times, [{ at: start + 5000, by: "witness", authority: "witness.test" }]);
  assert.deepEqual(logged[0]?.witnesses, ["witness.test"]);
  assert.equal(code(verdict(bundle, by({ requireWitnesses: 2 }))), "WB-LOG-005");
  const lying = { ...witness, verify: () => "no" };
  assert.equal(code(verdict(bundle, by({ witnesses: [lying] }))), "WB-LOG-002");
});

test("a trusted root that does not say since when, or holds an empty chain, is none", () => {
  const changes: ((root: Loose) => unknown)[] = [
    (root) => delete root.tlogs[0].publicKey.validFor.start,
    (root) => delete root.ctlogs[0].publicKey.validFor,
    (root) => delete root.certificateAuthorities[0].validFor.start,
    (root) => delete root.timestampAuthorities[0].validFor,
    (root) => (root.timestampAuthorities[0].certChain.certificates = []),
    (root) => (root.certificateAuthorities[0].certChain.certificates[0].rawBytes = "MAA="),
    (root) => (root.tlogs[0].publicKey.rawBytes = "MAA="),
    (root) => (root.mediaType = "application/json"),
  ];
  for (const change of changes) {
    const root = sigstore.trustedRoot() as Json;
    change(root);
    assert.ok("problem" in parseTrustedRoot(root), String(change));
  }
});

test("a flipped bit anywhere is refused with a code, or means the same", () => {
  const texts = [keyless(), keyless({ version: "0.0.1" }), byKey({ log: true })].map((b) =>
    JSON.stringify(b),
  );
  const by = authority();
  const expected = texts.map((text) => good(verdict(JSON.parse(text), by)).signer);
  fc.assert(
    fc.property(fc.nat(texts.length - 1), fc.nat(), fc.nat(7), (which, place, bit) => {
      const bytes = Buffer.from(texts[which]!);
      bytes[place % bytes.length]! ^= 1 << bit;
      const parsed = parseBundle(bytes.toString("utf8"));
      if ("problem" in parsed) return;
      const result = verifyBundle(parsed, by, { bytes: file });
      if ("problem" in result) assert.match(result.problem.code, /^WB-(SIGN|LOG)-0\d\d$/);
      else {
        assert.deepEqual(result.signer, expected[which]);
        for (const each of result.times) assert.ok(Math.abs(each.at - start) < 10_000);
      }
    }),
    { numRuns: 600 },
  );
});
