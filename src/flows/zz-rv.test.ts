import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync, readdirSync, cpSync, rmSync } from "node:fs";
import { createPrivateKey, createHash, sign, createPublicKey } from "node:crypto";
import { join } from "node:path";
import { test } from "node:test";
import { canonicalJson } from "../core/canonical-json.ts";
import { signEnvelope, IN_TOTO_PAYLOAD, preAuthEncoding } from "../sign/dsse.ts";
import { cosignHint, keyId } from "../sign/keys.ts";
import { settingsDigest } from "../core/settings.ts";
import { makeReleaseStatement } from "../evidence/release.ts";
import { encodeStatement } from "../evidence/statement.ts";
import { keySigner } from "../sign/statement-signer.ts";
import { loggedSigner } from "./logged-signer.ts";
import { Agent, releasedAgent } from "./proofs-agent.test.ts";
import { signFolder } from "./sign.ts";

const out = (v: any) => v.verdict.outcome === "allow" ? "allow" : v.verdict.outcome + " " + v.verdict.blocking.map((b: any) => b.code).join(" ");

test("journal SET backdating", async () => {
  const agent = new Agent();
  await agent.lock();
  await signFolder(agent.folder, loggedSigner(keySigner(agent.key), agent.home));
  const policy = JSON.parse(readFileSync(agent.trust, "utf8"));
  const root = JSON.parse(readFileSync(join(agent.home, "journal/trusted_root.json"), "utf8"));
  root.tlogs[0].publicKey.validFor.start = "2020-01-01T00:00:00Z";
  policy.trustedRoots = [{ name: "journal", root }];
  policy.revoked = [{ key: agent.key.keyId, compromisedSince: "2026-05-01T00:00:00Z", reason: "laptop lost" }];
  writeFileSync(agent.trust, JSON.stringify(policy));
  console.log("before", out(await agent.verify()));
  const lock = agent.openLock();
  const st = encodeStatement(makeReleaseStatement("proof", lock.components.map((c) => c.leaf), settingsDigest(lock.settings)));
  const payload = Buffer.from(st);
  const envelope = signEnvelope(IN_TOTO_PAYLOAD, payload, agent.key.privateKey);
  const digest = createHash("sha256").update(preAuthEncoding(IN_TOTO_PAYLOAD, payload)).digest("hex");
  const pem = agent.key.publicKey.export({ type: "spki", format: "pem" }).toString();
  const body = Buffer.from(canonicalJson({ apiVersion: "0.0.1", kind: "hashedrekord", spec: { data: { hash: { algorithm: "sha256", value: digest } }, signature: { content: envelope.signatures[0]!.sig, publicKey: { content: Buffer.from(pem).toString("base64") } } } })).toString("base64");
  const jkey = createPrivateKey(readFileSync(join(agent.home, "journal/key"), "utf8"));
  const id = Buffer.from(root.tlogs[0].logId.keyId, "base64");
  const at = Date.parse("2025-01-01T00:00:00Z") / 1000;
  const entry = { body, integratedTime: at, logID: id.toString("hex"), logIndex: 7 };
  const promise = sign(null, Buffer.from(canonicalJson(entry)), jkey);
  const bundle = JSON.stringify({ mediaType: "application/vnd.dev.sigstore.bundle+json;version=0.1", verificationMaterial: { publicKey: { hint: cosignHint(keyId(agent.key.publicKey)) }, tlogEntries: [{ logIndex: "7", logId: { keyId: id.toString("base64") }, kindVersion: { kind: "hashedrekord", version: "0.0.1" }, integratedTime: String(at), inclusionPromise: { signedEntryTimestamp: promise.toString("base64") }, canonicalizedBody: body }] }, dsseEnvelope: envelope });
  for (const f of agent.releaseSignatures()) agent.remove(f);
  agent.write("waybill.evidence/release.000000000000.sigstore.json", bundle);
  const v = await agent.verify();
  console.log("backdated", out(v), JSON.stringify(v.verdict.signedBy), v.verdict.blocking.map((b) => b.message));
});

test("log memory leftovers", async () => {
  const agent = await releasedAgent();
  mkdirSync(join(agent.home, "doors/logs"), { recursive: true });
  writeFileSync(join(agent.home, "doors/logs/.waybill-0123456789abcdef.tmp"), "{");
  console.log("tmp", await agent.verify().then(out, (e) => e.code + e.message));
  rmSync(join(agent.home, "doors/logs"), { recursive: true });
  mkdirSync(join(agent.home, "doors/logs/production"), { recursive: true });
  console.log("agent called logs", await agent.verify().then(out, (e) => e.code + e.message));
});


import { execFileSync } from "node:child_process";
test("read-only home", async () => {
  const agent = await releasedAgent();
  rmSync(join(agent.home, "doors"), { recursive: true, force: true });
  execFileSync("mount", ["--bind", agent.home, agent.home]);
  execFileSync("mount", ["-o", "remount,ro,bind", agent.home]);
  try {
  console.log("ro home", await agent.verify().then((v)=>out(v)+" | "+v.verdict.notes.join("; "), (e) => e.code + e.message));
  } finally { execFileSync("umount", [agent.home]); }
});
test("bundles and the digest; another agent", async () => {
  const agent = await releasedAgent();
  const b = agent.releaseSignatures()[0]!;
  console.log(agent.waybill(["verify", b, "--trust", agent.trust, "--trust-digest", "sha256:" + "0".repeat(64)]));
  const p = JSON.parse(readFileSync(agent.trust, "utf8")); p.version = 2; for (const r of p.rules) r.agents = ["other"]; writeFileSync(agent.trust, JSON.stringify(p));
  console.log(agent.waybill(["verify", b, "--trust", agent.trust, "--agent", "other"]));
});


test("DoS", async () => {
  const agent = await releasedAgent();
  const dir = "/work/shared/vectors/sigstore-conformance/bundle-verify/intoto-with-custom-trust-root";
  const b = JSON.parse(readFileSync(join(dir, "bundle.sigstore.json"), "utf8"));
  const root = JSON.parse(readFileSync(join(dir, "trusted_root.json"), "utf8"));
  const p = JSON.parse(readFileSync(agent.trust, "utf8")); p.trustedRoots = [{ name: "x", root }]; writeFileSync(agent.trust, JSON.stringify(p));
  for (const f of readdirSync(agent.path("waybill.evidence"))) agent.remove("waybill.evidence/" + f);
  const m = b.verificationMaterial;
  const e = m.tlogEntries[0], ts = m.timestampVerificationData.rfc3161Timestamps[0];
  for (const [te, tt] of [[32, 32], [32, 1], [1, 32]]) {
  m.tlogEntries = Array(te).fill(e); m.timestampVerificationData.rfc3161Timestamps = Array(tt).fill(ts);
  // statement made a release statement so that it is judged? only predicateType release is judged
  const text = JSON.stringify(b);
  for (let i = 0; i < 64; i++) agent.write(`waybill.evidence/release.${String(i).padStart(12, "0")}.sigstore.json`, text);
  const { judge: j, readStatements, authorityOf } = await import("../verify/signed.ts");
  const { parseTrust } = await import("../verify/trust.ts");
  const trust = parseTrust(JSON.stringify(p));
  let t = performance.now();
  const v = await agent.verify();
  console.log(te, tt, text.length, "verify", (performance.now() - t).toFixed(0), out(v));
  t = performance.now();
  const st = readStatements(Array.from({ length: 64 }, (_, i) => ({ file: "x" + i, text })));
  console.log("parse64", (performance.now() - t).toFixed(0), st.statements.length, st.malformed[0]);
  t = performance.now();
  let r; for (const x of st.statements) r = j(x, { evidence: "release", agent: "proof" }, trust, new Date());
  console.log("judge64", (performance.now() - t).toFixed(0), (r as any)?.rule, (r as any)?.detail);
  }
});
