import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { FolderFacts } from "../checks/check.ts";
import type { ObservedComponent, ObservedFile } from "../components/observed.ts";
import type { Json } from "../core/canonical-json.ts";
import { type ComponentLeaf, componentId } from "../core/component.ts";
import { sha256 } from "../core/digest.ts";
import type { CheckResult } from "../core/finding.ts";
import { encodeLock, type Lock, makeLock, parseLock, releaseOf } from "../core/lock.ts";
import { parseManifest } from "../core/manifest.ts";
import { omsRoot } from "../core/oms-root.ts";
import { type Settings, settingsDigest, settingsOf } from "../core/settings.ts";
import { type FileLeaf, treeDigest } from "../core/tree.ts";
import { makeChannelStatement } from "../evidence/channel.ts";
import { makeReleaseStatement } from "../evidence/release.ts";
import { encodeStatement } from "../evidence/statement.ts";
import { makeKeyBundle } from "../sign/bundle.ts";
import { generateKeyPair, keyId, publicKeyPem } from "../sign/keys.ts";
import { VERIFY_RULES } from "./rules.ts";
import { parseTrust } from "./trust.ts";
import { trustTemplate } from "./trust-template.ts";
import { isVerified } from "./verified.ts";
import { type VerifyFacts, verify } from "./verify.ts";

// Pure facts, no folder: an agent of a model, a prompt and code, locked, signed and allowed by one key.

const manifestText = `waybill: v1
agent: tiny
components:
  - {kind: model, name: base, path: model}
  - {kind: prompt, name: system, path: prompts}
  - {kind: code, name: app, path: src}
start:
  command: [sh, src/start.sh]
  env: {LOG_LEVEL: info, PATH: {inherit: true}}
  egress: [api.example.com]
runtime: {period: 15}
`;
const manifest = parseManifest(manifestText);
const file = (path: string, text: string): FileLeaf => ({
  path,
  size: text.length,
  sha256: sha256(text),
  executable: false,
});
const files: Record<string, FileLeaf[]> = {
  "model/base": [file("config.json", "{}"), file("weights.safetensors", "weights")],
  "prompt/system": [file("few-shot.md", "one"), file("system.md", "you are")],
  "code/app": [file("start.sh", "exit 0")],
};
const leafOf = (kind: ComponentLeaf["kind"], name: string): ComponentLeaf => {
  const own = files[`${kind}/${name}`]!;
  const also = kind === "model" ? { also: { oms: omsRoot(own)! } } : {};
  const size = own.reduce((sum, f) => sum + f.size, 0);
  const mediaType = "application/vnd.waybill.tree.v1+json";
  return { kind, name, mediaType, digest: treeDigest(own), size, ...also };
};
const lock = makeLock(
  "tiny",
  settingsOf(manifest.manifest),
  manifest.manifest.components.map(({ kind, name }) => ({
    leaf: leafOf(kind, name),
    files: files[`${kind}/${name}`]!,
  })),
);
const lockText = encodeLock(lock);
const release = releaseOf(lock);
const leaves = lock.components.map((c) => c.leaf);

const alice = generateKeyPair();
const mallory = generateKeyPair();
const bundle = (
  statement: Parameters<typeof encodeStatement>[0],
  key = alice.privateKey,
  name = "release.x",
) => ({
  file: `waybill.evidence/${name}.sigstore.json`,
  text: makeKeyBundle(encodeStatement(statement), key),
});
const releaseStatement = makeReleaseStatement("tiny", leaves, settingsDigest(lock.settings));
const channel = (more: object = {}) =>
  makeChannelStatement({
    agent: "tiny",
    target: "production",
    seq: 3,
    expires: "2030-01-01T00:00:00Z",
    releases: [release.digest],
    ...more,
  });
const signed = bundle(releaseStatement);
const allowed = bundle(channel(), alice.privateKey, "channel.production.x");
const policy = parseTrust(
  trustTemplate({
    principal: "alice",
    publicKey: publicKeyPem(alice.publicKey),
    expires: "2031-01-01T00:00:00Z",
  }),
);

function observed(): ObservedComponent[] {
  return manifest.manifest.components.map((declared) => ({
    id: componentId(declared),
    declared,
    prefix: `${declared.path}/`,
    entries: files[componentId(declared)]!.map((f): ObservedFile => ({ ...f })),
    problems: [],
    sources: new Map(),
    leaf: leafOf(declared.kind, declared.name),
  }));
}
function folder(more: Partial<FolderFacts> = {}): FolderFacts {
  return {
    manifest,
    lock,
    components: observed(),
    texts: [],
    unreadTexts: [],
    unclaimed: [],
    git: { state: "absent", reason: "there is none" },
    pinned: { chunkHashes: new Map(), texts: new Map(), current: new Map(), tensors: new Map() },
    ...more,
  };
}
function facts(more: Partial<VerifyFacts> = {}): VerifyFacts {
  return {
    folder: folder(),
    bundles: [signed, allowed],
    trust: { origin: "operator", policy },
    remembered: [],
    door: "start",
    target: "production",
    level: "strict",
    now: new Date("2027-01-01T00:00:00Z"),
    ...more,
  };
}
const failed = (results: readonly CheckResult[]) =>
  results.filter((r) => r.status === "fail").map((r) => r.code);

test("everything agrees: verified, until the channel ends", () => {
  const { verified, results, remember, ...rest } = verify(facts());
  assert.ok(results.every((r) => r.status === "pass"));
  assert.equal(verified?.value.digest, release.digest);
  assert.equal(rest.release?.digest, release.digest);
  assert.equal(verified?.validUntil, Date.parse("2030-01-01T00:00:00Z"));
  assert.deepEqual(remember, [allowed]);
  const codes = results.map((r) => r.code);
  assert.equal(new Set(codes).size, codes.length);
});

test("each refusal has its own code", () => {
  const other = makeReleaseStatement("tiny", leaves.slice(1), settingsDigest(lock.settings));
  const clone = makeReleaseStatement("clone", leaves, settingsDigest(lock.settings));
  const at = (iso: string) => new Date(iso);
  const cases: [string, Partial<VerifyFacts>][] = [
    ["WB-LOCK-001", { folder: folder({ lock: undefined }) }],
    ["WB-SIGN-001", { bundles: [allowed] }],
    ["WB-SIGN-002", { bundles: [bundle(releaseStatement, mallory.privateKey), allowed] }],
    ["WB-SIGN-003", { bundles: [{ ...signed, text: signed.text.slice(0, -9) }, allowed] }],
    ["WB-SIGN-004", { bundles: [bundle(other), allowed] }],
    ["WB-SIGN-005", { bundles: [bundle(clone), allowed] }],
    ["WB-TRUST-007", { now: at("2031-01-01T00:00:00Z") }],
    ["WB-TRUST-008", { trust: { origin: "self-asserted", policy } }],
    ["WB-ROLL-001", { bundles: [signed] }],
    ["WB-ROLL-001", { target: "staging" }],
    ["WB-ROLL-002", { now: at("2030-01-01T00:00:00Z") }],
    ["WB-ROLL-003", { bundles: [signed, bundle(channel({ releases: ["c".repeat(64)] }))] }],
    ["WB-ROLL-004", { remembered: [bundle(channel({ seq: 4 }))] }],
    ["WB-ROLL-005", { remembered: [bundle(channel({ expires: "2029-01-01T00:00:00Z" }))] }],
    ["WB-ROLL-006", { bundles: [signed, bundle(channel(), mallory.privateKey)] }],
  ];
  for (const [code, more] of cases) {
    const { verified, results, remember } = verify(facts(more));
    assert.equal(verified, undefined, code);
    assert.ok(failed(results).includes(code), `${code}: ${failed(results)}`);
    if (/ROLL-00[4561]/.test(code)) assert.deepEqual(remember, [], code);
  }
});

test("a lock that contradicts itself makes no release, at any door", () => {
  const edited = { ...lock, release: `sha256:${"0".repeat(64)}` } as const;
  for (const door of ["ci", "start"] as const) {
    const { verified, results, ...rest } = verify(facts({ door, folder: folder({ lock: edited }) }));
    assert.deepEqual([verified, rest.release, rest.remember], [undefined, undefined, []]);
    assert.deepEqual(failed(results), ["WB-LOCK-002"]);
    assert.ok(results.every((r) => !/SIGN|TRUST|ROLL/.test(r.code)));
  }
});

test("below strict self-asserted trust and the channel may fail, and nothing else", () => {
  const at = (level: VerifyFacts["level"], more: Partial<VerifyFacts>) => verify(facts({ level, ...more }));
  const other = makeReleaseStatement("tiny", leaves.slice(1), settingsDigest(lock.settings));
  const table: [string, Partial<VerifyFacts>, boolean][] = [
    ["no channel", { bundles: [signed] }, true],
    ["withdrawn", { bundles: [signed, bundle(channel({ releases: ["c".repeat(64)] }))] }, true],
    ["replayed", { remembered: [bundle(channel({ seq: 4 }))] }, true],
    ["self-asserted", { trust: { origin: "self-asserted", policy } }, true],
    ["unsigned", { bundles: [allowed] }, false],
    ["another release", { bundles: [bundle(other), allowed] }, false],
    ["a stranger", { bundles: [bundle(releaseStatement, mallory.privateKey), allowed] }, false],
    ["trust expired", { now: new Date("2031-01-01T00:00:00Z") }, false],
    ["no lock", { folder: folder({ lock: undefined }) }, false],
    ["no trust", { trust: { origin: "none" } }, false],
    [
      "edited",
      {
        folder: folder({ lock: makeLock(lock.agent, { ...lock.settings, ignore: ["x"] }, lock.components) }),
      },
      false,
    ],
  ];
  for (const [what, more, passes] of table) {
    for (const level of ["observe", "baseline"] as const)
      assert.equal(at(level, more).verified !== undefined, passes, `${level}: ${what}`);
    assert.equal(at("strict", more).verified, undefined, `strict: ${what}`);
  }
});

test("a permission ends with the first of trust, the signer's key and the channel", () => {
  const text = (expires: string, notAfter: string) =>
    JSON.stringify({
      waybillTrust: "v1",
      version: 1,
      expires,
      principals: [{ name: "alice", keys: [{ publicKey: publicKeyPem(alice.publicKey), notAfter }] }],
      rules: ["release", "channel"].map((evidence) => ({
        evidence,
        agents: ["*"],
        principals: ["alice"],
        threshold: 1,
      })),
    });
  // The channel ends in 2030.
  for (const [expires, notAfter, first] of [
    ["2029-01-01T00:00:00Z", "2031-01-01T00:00:00Z", "2029-01-01T00:00:00Z"],
    ["2031-01-01T00:00:00Z", "2028-01-01T00:00:00Z", "2028-01-01T00:00:00Z"],
    ["2031-01-01T00:00:00Z", "2031-01-01T00:00:00Z", "2030-01-01T00:00:00Z"],
  ] as const) {
    const { verified } = verify(
      facts({ trust: { origin: "operator", policy: parseTrust(text(expires, notAfter)) } }),
    );
    assert.equal(verified?.validUntil, Date.parse(first));
  }
});

test("a verified release says who signed it; only verify() makes one", () => {
  const { verified } = verify(facts());
  assert.deepEqual(verified?.signedBy, [{ principal: "alice", key: keyId(alice.publicKey) }]);
  assert.ok(isVerified(verified) && Object.isFrozen(verified));
  for (const forged of [{ ...verified }, Object.create(verified) as object, null, undefined, "verified", 1])
    assert.equal(isVerified(forged), false);
});

test("only what the operator's trust accepts is remembered; what cannot be proved is said", () => {
  const own = verify(facts({ level: "baseline", trust: { origin: "self-asserted", policy } }));
  assert.ok(own.verified);
  assert.deepEqual(own.remember, []);
  assert.deepEqual(verify(facts({ level: "baseline" })).remember, [allowed]);
  assert.equal(verify(facts()).notes.length, 1);
  assert.deepEqual(verify(facts({ remembered: [allowed] })).notes, []);
});

test("every step says what it looked at", () => {
  const result = (code: string, more: Partial<VerifyFacts> = {}) =>
    verify(facts(more)).results.find((r) => r.code === code)!;
  assert.equal(result("WB-TRUST-001").coverage, "policy version 1");
  const trust = { trust: { origin: "none" as const } };
  for (const code of ["WB-TRUST-001", "WB-TRUST-007", "WB-TRUST-008"])
    assert.partialDeepStrictEqual(result(code, trust), { status: "not-evaluated", coverage: "no policy" });
  assert.partialDeepStrictEqual(result("WB-SIGN-001", { folder: folder({ lock: undefined }) }), {
    status: "not-evaluated",
    reason: "WB-LOCK-001 failed first",
  });
  const own = result("WB-TRUST-008", { trust: { origin: "self-asserted", policy } });
  assert.ok(own.status === "fail");
  assert.match(own.findings[0]!.message, /self-asserted/);
  assert.equal(own.findings[0]!.why, VERIFY_RULES.selfAsserted.why);
  // What is no cause of a pass elsewhere: the other steps of trust pass.
  assert.equal(result("WB-TRUST-001", { trust: { origin: "self-asserted", policy } }).status, "pass");
});

test("without trust nothing is verified, at any level, and nothing that failed is hidden", () => {
  for (const level of ["observe", "baseline", "strict"] as const) {
    const { verified, results } = verify(facts({ level, trust: { origin: "none" } }));
    assert.equal(verified, undefined);
    assert.ok(results.some((r) => r.code === "WB-TRUST-001" && r.status === "not-evaluated"));
    assert.deepEqual(failed(verify(facts({ level, trust: { origin: "none" }, bundles: [] })).results), [
      "WB-SIGN-001",
    ]);
  }
});

test("at ci nobody has signed yet: results, a release, never a verified one", () => {
  const { verified, results, release: made } = verify(facts({ door: "ci" }));
  assert.equal(verified, undefined);
  assert.equal(made?.digest, release.digest);
  assert.ok(results.every((r) => r.status === "pass" && !/SIGN|TRUST|ROLL/.test(r.code)));
});

test("a missing lock leaves every other step open, at every door", () => {
  const all = new Set(verify(facts()).results.map((r) => r.code));
  const without = verify(facts({ folder: folder({ lock: undefined }) })).results;
  assert.deepEqual(new Set(without.map((r) => r.code)), all);
  assert.deepEqual(failed(without), ["WB-LOCK-001"]);
  const ci = verify(facts({ door: "ci", folder: folder({ lock: undefined }) })).results;
  assert.deepEqual(
    new Set(ci.map((r) => r.code)),
    new Set(verify(facts({ door: "ci" })).results.map((r) => r.code)),
  );
});

test("below strict an old channel statement does not block, and does not end the permission either", () => {
  const late = verify(facts({ level: "baseline", now: new Date("2030-06-01T00:00:00Z") }));
  assert.equal(late.verified?.validUntil, Date.parse("2031-01-01T00:00:00Z"));
  assert.ok(failed(late.results).includes("WB-ROLL-002"));
});

test("what a door remembers from a key that trust no longer names holds nothing", () => {
  const stolen = bundle(channel({ seq: 1000 }), mallory.privateKey);
  assert.ok(verify(facts({ remembered: [stolen] })).verified);
});

test("a bundle beside the good one does not matter", () => {
  const junk = [
    { file: "a", text: "" },
    { file: "b", text: "{}" },
    bundle(releaseStatement, mallory.privateKey),
  ];
  assert.ok(verify(facts({ bundles: [...junk, signed, allowed] })).verified);
});

test("any one byte of the release bundle changed: never verified, unless it still says the same", () => {
  fc.assert(
    fc.property(fc.nat(signed.text.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const bytes = Buffer.from(signed.text);
      bytes[at] = bytes[at]! ^ flip;
      const text = bytes.toString("utf8");
      const { verified } = verify(facts({ bundles: [{ ...signed, text }, allowed] }));
      if (verified === undefined) return;
      // JSON lets white space differ, and the hint is not signed: the signed bytes and the signature are the same.
      const [was, is] = [signed.text, text].map((t) => JSON.parse(t).dsseEnvelope);
      assert.equal(is.payload, was.payload);
      assert.equal(is.signatures[0].sig, was.signatures[0].sig);
    }),
    { numRuns: 400 },
  );
});

test("any one byte of the lock changed: no lock, or never verified", () => {
  fc.assert(
    fc.property(fc.nat(lockText.length - 1), fc.integer({ min: 1, max: 127 }), (at, flip) => {
      const bytes = Buffer.from(lockText);
      bytes[at] = bytes[at]! ^ flip;
      let changed: Lock;
      try {
        changed = parseLock(bytes.toString("utf8"));
      } catch {
        return;
      }
      assert.equal(verify(facts({ folder: folder({ lock: changed }) })).verified, undefined);
    }),
    { numRuns: 400 },
  );
});

test("any one setting changed, added or removed: never verified", () => {
  const places: (string | number)[][] = [];
  const walk = (value: Json, path: (string | number)[]): void => {
    if (path.length > 0) places.push(path);
    if (typeof value === "object" && value !== null)
      for (const key of Object.keys(value))
        walk((value as Settings)[key]!, [...path, Array.isArray(value) ? Number(key) : key]);
  };
  walk(lock.settings, []);
  const other = fc.constantFrom<Json | undefined>(undefined, null, "x", 7, [], {}, ["x"], { x: 1 });
  fc.assert(
    fc.property(fc.constantFrom(...places), other, (path, value) => {
      const settings = structuredClone(lock.settings);
      let at: Settings = settings;
      for (const key of path.slice(0, -1)) at = at[key] as Settings;
      const last = path.at(-1)!;
      if (JSON.stringify(at[last]) === JSON.stringify(value)) return;
      if (value !== undefined) at[last] = value;
      else if (Array.isArray(at)) at.splice(Number(last), 1);
      else delete at[last];
      // Made consistent again, as whoever tampers would.
      const changed = makeLock(lock.agent, settings, lock.components);
      const { verified, results } = verify(facts({ folder: folder({ lock: changed }) }));
      assert.equal(verified, undefined);
      assert.ok(failed(results).includes("WB-LOCK-003"), JSON.stringify(path));
    }),
    { numRuns: 300 },
  );
});

test("settings that only look alike are not the same", () => {
  const [first, ...rest] = lock.settings.components as Settings[];
  for (const components of [
    [...rest, first!],
    [{ ...first, path: "evil" }, first!, ...rest],
  ]) {
    const changed = makeLock(lock.agent, { ...lock.settings, components }, lock.components);
    const { verified, results } = verify(facts({ folder: folder({ lock: changed }) }));
    assert.equal(verified, undefined);
    assert.ok(failed(results).includes("WB-LOCK-003"));
  }
});

test("any difference in what was read: never verified, at any level", () => {
  const change = fc.constantFrom<(f: ObservedFile) => ObservedFile | undefined>(
    (f) => ({ ...f, sha256: sha256(`${f.sha256}x`) }),
    (f) => ({ ...f, size: f.size + 1 }),
    (f) => ({ ...f, executable: !f.executable }),
    (f) => ({ ...f, path: `${f.path}x` }),
    (f) => ({ ...f, chunks: "d".repeat(64) }),
    () => undefined,
  );
  fc.assert(
    fc.property(
      fc.nat(2),
      fc.nat(1),
      change,
      fc.constantFrom("observe", "baseline", "strict"),
      (c, f, how, level) => {
        const components = observed();
        const component = components[c]!;
        const entries = component.entries as ObservedFile[];
        const at = f % entries.length;
        const made = how(entries[at]!);
        entries.splice(at, 1, ...(made ? [made] : []));
        const { verified, results } = verify(
          facts({ folder: folder({ components }), level: level as "strict" }),
        );
        assert.equal(verified, undefined);
        assert.ok(failed(results).some((code) => /^WB-(MODEL|PROMPT|CODE)-001$/.test(code)));
      },
    ),
  );
});

test("an unread file, an unread component and a component that is not there fail", () => {
  for (const spoil of [
    (c: ObservedComponent) => c.problems.push({ path: "a", problem: "unreadable", detail: "EACCES" }),
    (c: ObservedComponent) => {
      delete (c as { leaf?: unknown }).leaf;
    },
    (c: ObservedComponent) => {
      c.entries.length = 0;
      c.problems.push({ path: ".", problem: "empty", detail: "it holds no file" });
    },
  ]) {
    const components = observed();
    spoil(components[1]!);
    assert.equal(verify(facts({ folder: folder({ components }) })).verified, undefined);
  }
});
