import { z } from "zod";

const SHAPE = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,3})?Z$/;

/**
 * Milliseconds since 1970 of an RFC 3339 date-time in UTC, such as `2027-06-01T00:00:00Z`; undefined for anything
 * else. Narrower than RFC 3339 §5.6: upper-case `T` and `Z`, no offsets, at most three decimals, no leap seconds,
 * and days that the calendar has (JavaScript reads 30 February as 2 March).
 */
export function parseTimestamp(text: string): number | undefined {
  if (!SHAPE.test(text)) return undefined;
  const at = Date.parse(text);
  if (Number.isNaN(at) || new Date(at).toISOString().slice(0, 19) !== text.slice(0, 19)) return undefined;
  return at;
}

/** A date-time as `parseTimestamp` reads it, for schemas. */
export const timestamp = z
  .string()
  .refine(
    (text) => parseTimestamp(text) !== undefined,
    "an RFC 3339 date and time in UTC: 2027-06-01T00:00:00Z",
  )
  .meta({ format: "date-time" });
