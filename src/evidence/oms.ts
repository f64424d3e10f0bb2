import { isUtf8 } from "node:buffer";
import { createHash } from "node:crypto";
import type { Json } from "../core/canonical-json.ts";
import type { Hex } from "../core/digest.ts";
import { isOmsIgnored } from "../core/oms-root.ts";
import { safeText } from "../core/safe-text.ts";
import { parseStrictJson } from "../core/strict-json.ts";
import { omsPathProblem, parseShardName, SINGLE_FILE } from "./oms-names.ts";
import { STATEMENT_TYPE } from "./statement.ts";

/** Predicate type of OpenSSF model signing (OMS) v1.0. */
export const OMS_TYPE = "https://model_signing/signature/v1.0";

/** That of model_signing 0.2, whose file digests stand in `subject`. Read, never written. */
export const OMS_LEGACY_TYPE = "https://model_signing/Digests/v0.1";

/** Hash types of OMS v1.0 and the length of their digests in hex digits. */
const HASH_TYPES = { sha256: 64, blake2b: 128, blake3: 64 } as const;
export type OmsHashType = keyof typeof HASH_TYPES;

/** Largest statement that is read, in bytes: about 100,000 files. */
export const MAX_OMS_BYTES = 16 << 20;
const MAX_RESOURCES = 1_000_000;

/** One signed file, or one signed run of bytes of a file. */
export interface OmsResource {
  /** POSIX path in the model; `.` for a model that is a single file. */
  path: string;
  /** Hex. */
  digest: string;
  /** The bytes that the digest is of, in method `shards`; the end is exclusive. */
  range?: { start: number; end: number };
}

/** What an OMS statement says of a model. Nothing here says who signed it. */
export interface OmsManifest {
  version: "v1.0" | "v0.1";
  /** For people only: the name that the signer's folder had. Absent in v0.1. */
  name?: string;
  /** SHA-256 over the resources' raw digests in recorded order, hex. */
  root: Hex;
  method: "files" | "shards";
  hashType: OmsHashType;
  /** In bytes; for `shards`. */
  shardSize?: number;
  allowSymlinks: boolean;
  /** As recorded, in no order. */
  ignorePaths: string[];
  /** In recorded order. */
  resources: OmsResource[];
}

type Problem = { problem: string };
type JsonObject = { [key: string]: Json };

/**
 * Reads the payload of an OMS bundle strictly (OMS v1.0, statement and predicate schemas): known fields only, one
 * subject, safe and distinct names, digests of the recorded algorithm, shards that cover each file from its first
 * byte without gap or overlap, and a subject digest that follows from the resources in recorded order. Verify the
 * signature over these very bytes first. Never throws for any bytes.
 *
 * Beyond the specification it reads what model_signing 1.1.1 writes: `shard_size` as a float, `-sharded-SIZE` behind
 * the algorithm of a shard, and the statements of 0.2.
 */
export function parseOms(payload: Uint8Array): OmsManifest | Problem {
  if (!isUtf8(payload)) return { problem: "not an OMS statement: not UTF-8" };
  let data: Json;
  try {
    data = parseStrictJson(Buffer.from(payload).toString("utf8"), { maxBytes: MAX_OMS_BYTES, maxDepth: 32 });
  } catch (error) {
    return { problem: `not an OMS statement: ${safeText((error as Error).message)}` };
  }
  try {
    return readStatement(data);
  } catch (error) {
    if (!(error instanceof Departure)) throw error;
    return { problem: `not an OMS statement: ${safeText(error.message)}` };
  }
}

/** Where a statement departs from its schema; caught in this file. */
class Departure extends Error {}

function readStatement(data: Json): OmsManifest {
  const statement = object(data, "document");
  onlyKeys(statement, ["_type", "subject", "predicateType", "predicate"], "document");
  need(statement._type === STATEMENT_TYPE, `_type is not ${STATEMENT_TYPE}`);
  if (statement.predicateType === OMS_LEGACY_TYPE) return readLegacy(statement);
  need(statement.predicateType === OMS_TYPE, `predicateType is not ${OMS_TYPE}`);
  const subjects = array(statement.subject, "subject");
  need(subjects.length === 1, `${subjects.length} subjects, not one`);
  const { name, digest } = readSubject(subjects[0]!, "subject.0");
  const predicate = object(statement.predicate, "predicate");
  onlyKeys(predicate, ["resources", "serialization"], "predicate");
  const settings = readSerialization(predicate.serialization);
  const entries = array(predicate.resources, "predicate.resources");
  const resources = entries.map((entry, i) => readResource(entry, settings, `predicate.resources.${i}`));
  return complete({ version: "v1.0", name, ...settings, resources }, digest);
}

/** v0.1: every subject is a file, with a SHA-256; there is no root, and the predicate says nothing. */
function readLegacy(statement: JsonObject): OmsManifest {
  const resources = array(statement.subject, "subject").map((entry, i): OmsResource => {
    const { name, digest } = readSubject(entry, `subject.${i}`);
    checkPath(name, `subject.${i}.name`);
    return { path: name, digest };
  });
  const settings = {
    method: "files" as const,
    hashType: "sha256" as const,
    allowSymlinks: false,
    ignorePaths: [],
  };
  return complete({ version: "v0.1", ...settings, resources });
}

function readSubject(value: Json, at: string): { name: string; digest: Hex } {
  const subject = object(value, at);
  const name = text(subject.name, `${at}.name`);
  const digests = object(subject.digest, `${at}.digest`);
  for (const [algorithm, digest] of Object.entries(digests))
    need(
      typeof digest === "string" && /^[0-9a-f]+$/.test(digest),
      `${at}.digest.${algorithm} is not lower-case hex`,
    );
  return { name, digest: hexOf(digests.sha256, HASH_TYPES.sha256, `${at}.digest.sha256`) };
}

type Settings = Pick<OmsManifest, "method" | "hashType" | "shardSize" | "allowSymlinks" | "ignorePaths">;

function readSerialization(value: Json | undefined): Settings {
  const at = "predicate.serialization";
  const serialization = object(value, at);
  onlyKeys(serialization, ["method", "hash_type", "shard_size", "allow_symlinks", "ignore_paths"], at);
  const { method, hash_type: hashType, shard_size: shardSize, allow_symlinks: allowSymlinks } = serialization;
  need(method === "files" || method === "shards", `${at}.method is neither files nor shards`);
  need(
    typeof hashType === "string" && Object.hasOwn(HASH_TYPES, hashType),
    `${at}.hash_type is not one of ${Object.keys(HASH_TYPES).join(", ")}`,
  );
  need(typeof allowSymlinks === "boolean", `${at}.allow_symlinks is not true or false`);
  const isSize = typeof shardSize === "number" && Number.isSafeInteger(shardSize) && shardSize > 0;
  if (method === "shards") need(isSize, `${at}.shard_size is not a positive whole number`);
  else need(shardSize === undefined, `${at}.shard_size stands beside method files`);
  const ignored = serialization.ignore_paths;
  const ignorePaths = ignored === undefined ? [] : array(ignored, `${at}.ignore_paths`);
  return {
    method: method as "files" | "shards",
    hashType: hashType as OmsHashType,
    ...(method === "shards" ? { shardSize: shardSize as number } : {}),
    allowSymlinks: allowSymlinks as boolean,
    ignorePaths: ignorePaths.map((value, i) => {
      const path = text(value, `${at}.ignore_paths.${i}`);
      checkPath(path.replace(/\/$/, ""), `${at}.ignore_paths.${i}`);
      return path;
    }),
  };
}

function readResource(value: Json, settings: Settings, at: string): OmsResource {
  const resource = object(value, at);
  const name = text(resource.name, `${at}.name`);
  const { hashType, shardSize } = settings;
  const sharded = settings.method === "shards" ? `${hashType}-sharded-${shardSize}` : hashType;
  need(
    resource.algorithm === hashType || resource.algorithm === sharded,
    `${at}.algorithm is not the hash type ${hashType}`,
  );
  const digest = hexOf(resource.digest, HASH_TYPES[hashType], `${at}.digest`);
  if (settings.method === "files") {
    if (name !== SINGLE_FILE) checkPath(name, `${at}.name`);
    return { path: name, digest };
  }
  const shard = parseShardName(name);
  if (!shard) throw new Departure(`${at}.name is not path:start:end`);
  const { path, start, end } = shard;
  if (path !== SINGLE_FILE) checkPath(path, `${at}.name`);
  return { path, digest, range: { start, end } };
}

/** Adds the root, and refuses what no model could be: nothing signed, a name twice, gaps, a root that does not follow. */
function complete(manifest: Omit<OmsManifest, "root">, stated?: Hex): OmsManifest {
  const { resources, method } = manifest;
  need(resources.length > 0, "nothing is signed: it has no resources");
  need(resources.length <= MAX_RESOURCES, `more than ${MAX_RESOURCES} resources`);
  const paths = new Set(resources.map(({ path }) => path));
  need(!paths.has(SINGLE_FILE) || paths.size === 1, "a resource named '.' stands beside others");
  if (method === "files") need(paths.size === resources.length, `${twice(resources)} stands twice`);
  else checkShards(manifest);
  const root = rootOf(resources);
  need(stated === undefined || stated === root, `its subject is ${stated}, its resources make ${root}`);
  return { ...manifest, root };
}

/** SHA-256 over the raw digests in recorded order (OMS v1.0, root digest), whatever the hash type. */
function rootOf(resources: readonly OmsResource[]): Hex {
  const hash = createHash("sha256");
  for (const { digest } of resources) hash.update(digest, "hex");
  return hash.digest("hex");
}

function twice(resources: readonly OmsResource[]): string {
  const seen = new Set<string>();
  return resources.find(({ path }) => seen.size === seen.add(path).size)?.path ?? "";
}

/** Each file's ranges, put in order, begin at 0, meet, and all but the last have the recorded size. */
function checkShards({ resources, shardSize = 0 }: Omit<OmsManifest, "root">): void {
  const byPath = Map.groupBy(resources, ({ path }) => path);
  for (const [path, shards] of byPath) {
    const ranges = shards.map(({ range }) => range!).toSorted((a, b) => a.start - b.start);
    let end = 0;
    ranges.forEach((range, i) => {
      need(range.start >= end, `shards of ${path} overlap at byte ${range.start}`);
      need(range.start === end, `the shards of ${path} leave out bytes ${end} to ${range.start}`);
      const length = range.end - range.start;
      const isLast = i === ranges.length - 1;
      need(
        length === shardSize || (isLast && length < shardSize),
        `a shard of ${path} has ${length} bytes, not ${shardSize}`,
      );
      end = range.end;
    });
  }
}

/** The ignored paths of a statement beyond those that OMS names itself: what a signer chose to leave out. */
export function chosenIgnores({ ignorePaths }: Pick<OmsManifest, "ignorePaths">): string[] {
  return ignorePaths.filter((path) => !isOmsIgnored(path.replace(/\/$/, "")));
}

function checkPath(path: string, at: string): void {
  const problem = omsPathProblem(path);
  need(problem === null, `${at} '${path.slice(0, 200).toWellFormed()}' ${problem}`);
}

function need(isSo: boolean, otherwise: string): asserts isSo {
  if (!isSo) throw new Departure(otherwise);
}

function object(value: Json | undefined, at: string): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Departure(`${at} is not an object`);
  return value;
}

function array(value: Json | undefined, at: string): Json[] {
  if (!Array.isArray(value)) throw new Departure(`${at} is not a list`);
  return value;
}

function text(value: Json | undefined, at: string): string {
  if (typeof value !== "string" || value === "") throw new Departure(`${at} is not a text`);
  return value;
}

function hexOf(value: Json | undefined, digits: number, at: string): string {
  if (typeof value !== "string" || value.length !== digits || !/^[0-9a-f]+$/.test(value))
    throw new Departure(`${at} does not have ${digits} lower-case hex digits`);
  return value;
}

function onlyKeys(value: JsonObject, known: readonly string[], at: string): void {
  const other = Object.keys(value).find((key) => !known.includes(key));
  need(other === undefined, `${at} has a field that is not known: ${other?.slice(0, 100).toWellFormed()}`);
}
