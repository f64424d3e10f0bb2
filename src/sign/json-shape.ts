import type { Json } from "../core/canonical-json.ts";

// Readers for the shapes of protocol documents, by hand: a schema library costs more to load than a bundle to verify.

/** A JSON object. */
export type Fields = { [key: string]: Json };

/** A document does not have the shape that its format prescribes. Caught by the reader that threw it. */
export class ShapeError extends Error {
  override readonly name = "ShapeError";
}

/**
 * The value as an object. Fields that are null count as absent, as in the JSON form of protocol buffers.
 *
 * @param allowed the fields that it may have; every field when not given
 * @throws ShapeError
 */
export function fieldsOf(value: Json | undefined, at: string, allowed?: readonly string[]): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new ShapeError(`${at}: ${value === undefined || value === null ? "missing" : "not an object"}`);
  if (allowed !== undefined)
    for (const key of Object.keys(value))
      if (!allowed.includes(key))
        throw new ShapeError(`${at}: unknown field ${JSON.stringify(key.slice(0, 64))}`);
  return value;
}

/** A field that may be absent or null. */
export function optional(fields: Fields, key: string): Json | undefined {
  const value = Object.hasOwn(fields, key) ? fields[key] : undefined;
  return value === null ? undefined : value;
}

/** A list, empty when absent; throws ShapeError for anything else and above the limit. */
export function listOf(value: Json | undefined, at: string, most: number): Json[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new ShapeError(`${at}: not a list`);
  if (value.length > most) throw new ShapeError(`${at}: more than ${most}`);
  return value;
}

/** A string of at most this many characters; throws ShapeError. */
export function textOf(value: Json | undefined, at: string, most: number): string {
  if (typeof value !== "string") throw new ShapeError(`${at}: ${value == null ? "missing" : "not a string"}`);
  if (value.length > most) throw new ShapeError(`${at}: longer than ${most} characters`);
  return value;
}

/**
 * Bytes from canonical standard base64 (RFC 4648 §4, with padding), at least one and at most this many; throws
 * ShapeError. Other spellings are refused: two texts of one value would let readers disagree.
 */
export function bytesOf(value: Json | undefined, at: string, most: number): Buffer {
  const text = textOf(value, at, Math.ceil(most / 3) * 4);
  const bytes = Buffer.from(text, "base64");
  if (bytes.toString("base64") !== text) throw new ShapeError(`${at}: not standard base64`);
  if (bytes.length === 0) throw new ShapeError(`${at}: empty`);
  if (bytes.length > most) throw new ShapeError(`${at}: longer than ${most} bytes`);
  return bytes;
}

/** A whole number from 0 to 2^53 - 1, as a number or (as protocol buffers write int64) as a decimal string. */
export function countOf(value: Json | undefined, at: string): number {
  if (typeof value === "string" && /^(?:0|[1-9][0-9]{0,15})$/.test(value)) return countOf(Number(value), at);
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw new ShapeError(`${at}: ${value == null ? "missing" : "not a whole number from 0 to 2^53 - 1"}`);
}
