import { join } from "node:path";
import type { ComponentId } from "../core/component.ts";
import { WaybillError } from "../core/errors.ts";
import { type Lock, releaseOf } from "../core/lock.ts";
import type { Manifest } from "../core/manifest.ts";
import type { Release } from "../core/release.ts";
import { settingsDigest } from "../core/settings.ts";
import { EVIDENCE_FOLDER, evidenceFileName } from "../evidence/files.ts";
import { makeReleaseStatement } from "../evidence/release.ts";
import { encodeStatement } from "../evidence/statement.ts";
import { writeFileAtomic } from "../hash/atomic-write.ts";
import { makeFolder } from "../hash/make-folder.ts";
import type { SignedBundle, StatementSigner } from "../sign/statement-signer.ts";
import { lockAgrees, settingsAgree } from "../verify/lock-steps.ts";
import { openAgentFolder } from "./agent-folder.ts";
import { modelStatements } from "./oms-sign.ts";

/** What `waybill sign` did. */
export interface SignOutcome {
  release: Release;
  by: SignedBundle["by"];
  /** The bundle, relative to the agent's folder. */
  file: string;
  /** The model signature (OMS) of each model component, or why it has none. */
  models: ModelSignature[];
}

/** A model component with its bundle, relative to the agent's folder, or why OMS cannot describe it. */
export type ModelSignature = { component: ComponentId } & ({ file: string } | { problem: string });

/**
 * Signs the locked release, and each model in it as OMS does, so that `model_signing` verifies it too. What is
 * signed is what the lock says now: whether the bytes agree is for `check` and for every door to find out. The
 * release is signed first, and nothing is written before it is.
 *
 * @throws WaybillError WB-INPUT-001 without a lock, WB-INPUT-011 when lock and manifest disagree; and as the signer
 */
export async function signFolder(folder: string, signer: StatementSigner): Promise<SignOutcome> {
  const { path, lock, manifest, release } = openLocked(folder);
  const leaves = lock.components.map((component) => component.leaf);
  const statement = makeReleaseStatement(lock.agent, leaves, settingsDigest(lock.settings));
  const { bundle, signerId, by } = await signer.sign(encodeStatement(statement));
  const file = writeBundle(path, evidenceFileName({ evidence: "release" }, signerId), bundle);
  const models: ModelSignature[] = [];
  for (const model of modelStatements(path, manifest.components, lock.components)) {
    const { component, name } = model;
    const signed = "problem" in model ? model : await signedModel(encodeStatement(model.statement), signer);
    if ("problem" in signed) models.push({ component, problem: signed.problem });
    else {
      const into = evidenceFileName({ evidence: "model", name }, signed.signerId);
      models.push({ component, file: writeBundle(path, into, signed.bundle) });
    }
  }
  return { release, by, file, models };
}

/** A model of too many files is no reason not to sign the release. */
async function signedModel(
  statement: string,
  signer: StatementSigner,
): Promise<SignedBundle | { problem: string }> {
  try {
    return await signer.sign(statement, { hint: "oms" });
  } catch (error) {
    if (!(error instanceof WaybillError) || error.code !== "WB-INPUT-003") throw error;
    return { problem: error.message };
  }
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

/** Writes a bundle into waybill.evidence; gives the file's path relative to the agent's folder. */
export function writeBundle(path: string, name: string, bundle: string): string {
  makeFolder(join(path, EVIDENCE_FOLDER), { hint: "check that the agent's folder is writable" });
  writeFileAtomic(join(path, EVIDENCE_FOLDER, name), bundle);
  return `${EVIDENCE_FOLDER}/${name}`;
}
