import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type ProofResult,
  verifyConsistency,
  verifyInclusion,
  verifySubtreeConsistency,
  verifySubtreeInclusion,
} from "../../src/core/proof.ts";

type Case = Record<string, unknown>;

/** Each kind of case: the fields that tell it, most of them first, and how it is put to the verifier. */
const KINDS: readonly { fields: readonly string[]; run: (c: Case) => ProofResult }[] = [
  {
    fields: ["leafIdx", "start", "end"],
    run: (c) =>
      verifySubtreeInclusion({
        index: count(c, "leafIdx"),
        start: count(c, "start"),
        end: count(c, "end"),
        leafHash: bytes(c, "leafHash"),
        proof: hashes(c),
        root: bytes(c, "root"),
      }),
  },
  {
    fields: ["leafIdx", "treeSize"],
    run: (c) =>
      verifyInclusion({
        index: count(c, "leafIdx"),
        size: count(c, "treeSize"),
        leafHash: bytes(c, "leafHash"),
        proof: hashes(c),
        root: bytes(c, "root"),
      }),
  },
  {
    fields: ["start", "end", "size", "root1", "root2"],
    run: (c) =>
      verifySubtreeConsistency({
        start: count(c, "start"),
        end: count(c, "end"),
        size: count(c, "size"),
        root1: bytes(c, "root1"),
        root2: bytes(c, "root2"),
        proof: hashes(c),
      }),
  },
  {
    fields: ["size1", "size2"],
    run: (c) =>
      verifyConsistency({
        size1: count(c, "size1"),
        size2: count(c, "size2"),
        root1: bytes(c, "root1"),
        root2: bytes(c, "root2"),
        proof: hashes(c),
      }),
  },
];

/**
 * Runs every proof case (`*.json`) below a folder, in the format of github.com/transparency-dev/merkle's
 * testdata: the fields of the file say which kind of proof it holds, `wantErr` whether it must be refused.
 * Gives the number that came out as wanted, and for the others a line each, in the order of their paths.
 * A file that is no such case counts as failed. Throws when the folder cannot be read or holds no case.
 */
export async function merkleSuite(dir: string): Promise<{ passed: number; failed: string[] }> {
  const files = (await readdir(dir, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && entry.name.endsWith(".json"))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  if (files.length === 0) throw new Error(`no *.json below ${dir}`);
  const failed: string[] = [];
  for (const file of files) {
    const problem = await runCase(file);
    if (problem !== null) failed.push(`${file}: ${problem}`);
  }
  return { passed: files.length - failed.length, failed };
}

/** What is wrong with the outcome of one case, or null. */
async function runCase(file: string): Promise<string | null> {
  try {
    const parsed: unknown = JSON.parse(await readFile(file, "utf8"), exactIntegers);
    if (typeof parsed !== "object" || parsed === null) return "not an object";
    const fields = parsed as Case;
    const kind = KINDS.find((each) => each.fields.every((field) => Object.hasOwn(fields, field)));
    if (kind === undefined) return "not a kind of proof that is known";
    if (typeof fields.wantErr !== "boolean") return "wantErr is not a boolean";
    const reason = kind.run(fields);
    if (fields.wantErr) return reason === null ? "accepted, must be refused" : null;
    return reason === null ? null : `refused, must be accepted: ${reason}`;
  } catch (error) {
    return `cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Cases hold uint64 values as JSON numbers, up to 2^64 - 1: a double would round them into other cases. */
function exactIntegers(_key: string, value: unknown, context?: { source?: string }): unknown {
  const source = context?.source;
  return typeof value === "number" && source !== undefined && /^[0-9]+$/.test(source)
    ? BigInt(source)
    : value;
}

function count(fields: Case, name: string): bigint {
  const value = fields[name];
  if (typeof value !== "bigint") throw new Error(`${name} is not an unsigned integer`);
  return value;
}

/** A byte string as Go's encoding/json writes it: standard base64, or null for none. */
function bytes(fields: Case, name: string): Uint8Array {
  return decode(fields[name], name);
}

function hashes(fields: Case): Uint8Array[] | null {
  const { proof } = fields;
  if (proof === null) return null;
  if (!Array.isArray(proof)) throw new Error("proof is not a list");
  return proof.map((hash) => decode(hash, "proof"));
}

function decode(value: unknown, name: string): Uint8Array {
  if (value === null) return new Uint8Array(0);
  // Not Buffer.from, which skips what it does not know: a garbled case must not pass for a wrong proof.
  if (typeof value === "string") return Uint8Array.from(atob(value), (char) => char.charCodeAt(0));
  throw new Error(`${name} is not base64`);
}
