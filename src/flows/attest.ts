import { createHash } from "node:crypto";
import { createReadStream, lstatSync } from "node:fs";
import { basename, join } from "node:path";
import type { Json } from "../core/canonical-json.ts";
import type { Hex } from "../core/digest.ts";
import { WaybillError } from "../core/errors.ts";
import { JsonSyntaxError, parseStrictJson } from "../core/strict-json.ts";
import { EVIDENCE_FOLDER } from "../evidence/files.ts";
import { evidenceByUri } from "../evidence/predicate-names.ts";
import { encodeStatement, STATEMENT_TYPE, type Statement, type Subject } from "../evidence/statement.ts";
import { writeFileAtomic } from "../hash/atomic-write.ts";
import { makeFolder } from "../hash/make-folder.ts";
import { readTextBounded } from "../hash/read-file.ts";
import type { SignedBundle, StatementSigner } from "../sign/statement-signer.ts";
import { openLocked } from "./sign.ts";

/** Largest predicate that is read, in bytes: its bundle must stay below 1 MiB. */
const MAX_PREDICATE = 1 << 20;

/** What was attested about a file or a release. */
export interface Attested {
  subject: { name: string; sha256: Hex };
  predicateType: string;
  by: SignedBundle["by"];
  /** Where the bundle was written. */
  file: string;
}

/**
 * Reads a predicate: a JSON object.
 *
 * @throws WaybillError WB-INPUT-001..004, WB-INPUT-005 not JSON, WB-INPUT-006 no object
 */
export function readPredicateFile(file: string): { [key: string]: Json } {
  const text = readTextBounded(file, MAX_PREDICATE, { follow: true });
  let data: Json;
  try {
    data = parseStrictJson(text, { maxBytes: MAX_PREDICATE });
  } catch (cause) {
    if (!(cause instanceof JsonSyntaxError)) throw cause;
    throw new WaybillError("WB-INPUT-005", `${file}:${cause.line}:${cause.column}: ${cause.reason}`, {
      hint: "a predicate is a JSON object",
      cause,
    });
  }
  if (typeof data === "object" && data !== null && !Array.isArray(data)) return data;
  throw new WaybillError("WB-INPUT-006", `${file} holds no object`, { hint: "a predicate is a JSON object" });
}

/**
 * Attests something about a file, or about the locked release of an agent's folder: a bundle beside the file, or
 * in waybill.evidence.
 *
 * @param out where the bundle goes; default `FILE.sigstore.json`
 * @throws WaybillError WB-INPUT-001 no such path or no lock, WB-INPUT-002, WB-STORE-001/002, and as the signer
 */
export async function attestPath(
  path: string,
  claim: { type: string; predicate: { [key: string]: Json } },
  signer: StatementSigner,
  out: string | undefined,
): Promise<Attested> {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  const folder = stat?.isDirectory() ? openLocked(path) : undefined;
  const subject: Subject & { name: string } = folder
    ? { name: folder.lock.agent, digest: { sha256: folder.release.digest } }
    : { name: basename(path), digest: { sha256: await fileDigest(path) } };
  const { type: predicateType, predicate } = claim;
  const statement: Statement = { _type: STATEMENT_TYPE, subject: [subject], predicateType, predicate };
  const { bundle, signerId, by } = await signer.sign(encodeStatement(statement));
  const file = out ?? (folder ? evidencePath(folder.path, predicateType, signerId) : `${path}.sigstore.json`);
  writeFileAtomic(file, bundle);
  return { subject: { name: subject.name, sha256: subject.digest.sha256! }, predicateType, by, file };
}

function evidencePath(folder: string, predicateType: string, signerId: Hex): string {
  makeFolder(join(folder, EVIDENCE_FOLDER), { hint: "check that the agent's folder is writable" });
  const short = evidenceByUri(predicateType)?.short ?? "attestation";
  return join(folder, EVIDENCE_FOLDER, `${short}.${signerId.slice(0, 12)}.sigstore.json`);
}

async function fileDigest(path: string): Promise<Hex> {
  const hash = createHash("sha256");
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const missing = code === "ENOENT" || code === "ENOTDIR";
    throw new WaybillError(
      missing ? "WB-INPUT-001" : "WB-INPUT-002",
      missing ? `${path} does not exist` : message,
      {
        hint: "name a file, an agent's folder or an image",
        cause,
      },
    );
  }
  return hash.digest("hex");
}
