import { join } from "node:path";
import type { ComponentId } from "../core/component.ts";
import { WaybillError } from "../core/errors.ts";
import { type Lock, releaseOf } from "../core/lock.ts";
import type { Manifest } from "../core/manifest.ts";
import type { Release } from "../core/release.ts";
import { settingsDigest } from "../core/settings.ts";
import { EVIDENCE_FOLDER, evidenceFileName } from "../evidence/files.ts";
import { makeReleaseStatement } from "../evidence/release.ts";
import { encodeStatement, type Statement } from "../evidence/statement.ts";
import { writeFileAtomic } from "../hash/atomic-write.ts";
import { makeFolder } from "../hash/make-folder.ts";
import { makeKeyBundle } from "../sign/bundle.ts";
import type { SigningKey } from "../sign/key-store.ts";
import { lockAgrees, settingsAgree } from "../verify/lock-steps.ts";
import { openAgentFolder } from "./agent-folder.ts";
import { signModels } from "./oms-sign.ts";

/** What `waybill sign` did. */
export interface SignOutcome {
  release: Release;
  /** The bundle, relative to the agent's folder. */
  file: string;
  key: { name: string; keyId: string };
  /** The model signature (OMS) of each model component, or why it has none. */
  models: ModelSignature[];
}

/** A model component with its bundle, relative to the agent's folder, or why OMS cannot describe it. */
export type ModelSignature = { component: ComponentId } & ({ file: string } | { problem: string });

/**
 * Signs the locked release, and each model in it as OMS does, so that `model_signing` verifies it too. What is
 * signed is what the lock says now: whether the bytes agree is for `check` and for every door to find out.
 *
 * @throws WaybillError WB-INPUT-001 without a lock, WB-INPUT-011 when lock and manifest disagree
 */
export function signFolder(folder: string, key: SigningKey): SignOutcome {
  const { path, lock, manifest, release } = openLocked(folder);
  const leaves = lock.components.map((component) => component.leaf);
  const statement = makeReleaseStatement(lock.agent, leaves, settingsDigest(lock.settings));
  const file = writeEvidence(path, evidenceFileName({ evidence: "release" }, key.keyId), statement, key);
  const models = signModels(path, manifest.components, lock.components, key).map((model): ModelSignature => {
    const { component, name } = model;
    if ("problem" in model) return { component, problem: model.problem };
    return {
      component,
      file: writeBundle(path, evidenceFileName({ evidence: "model", name }, key.keyId), model.text),
    };
  });
  return { release, file, key: { name: key.name, keyId: key.keyId }, models };
}

/**
 * Opens a folder whose lock agrees with itself and with the manifest.
 *
 * @throws WaybillError WB-INPUT-001, WB-INPUT-011
 */
export function openLocked(folder: string): {
  path: string;
  lock: Lock;
  manifest: Manifest;
  release: Release;
} {
  const agent = openAgentFolder(folder);
  if (!agent.lock)
    throw new WaybillError("WB-INPUT-001", `there is no waybill.lock in ${folder}`, { hint: "waybill lock" });
  const results = [lockAgrees(agent.lock), settingsAgree(agent.lock, agent.manifest)];
  const findings = results.flatMap((result) => (result.status === "fail" ? result.findings : []));
  if (findings.length > 0)
    throw new WaybillError("WB-INPUT-011", findings.map((f) => f.message).join("\n"), {
      hint: "waybill lock, then sign what it pinned",
    });
  const { manifest } = agent.manifest;
  return { path: agent.path, lock: agent.lock, manifest, release: releaseOf(agent.lock) };
}

/** Signs a statement into waybill.evidence; gives the file's path relative to the agent's folder. */
export function writeEvidence(path: string, name: string, statement: Statement, key: SigningKey): string {
  return writeBundle(path, name, makeKeyBundle(encodeStatement(statement), key.privateKey));
}

/** Writes a bundle into waybill.evidence; gives the file's path relative to the agent's folder. */
export function writeBundle(path: string, name: string, bundle: string): string {
  makeFolder(join(path, EVIDENCE_FOLDER), { hint: "check that the agent's folder is writable" });
  writeFileAtomic(join(path, EVIDENCE_FOLDER, name), bundle);
  return `${EVIDENCE_FOLDER}/${name}`;
}
