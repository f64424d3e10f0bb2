// A reader of DER (X.690 §10), as far as certificates and timestamps need it: definite lengths in their shortest
// form, tags below 31, bounded depth by lazy reading.

/** Not the DER that a format prescribes. Caught by the reader of the format. */
export class DerError extends Error {
  override readonly name = "DerError";
}

/** One value: its identifier byte, its content and the whole with tag and length. */
export interface Der {
  tag: number;
  content: Buffer;
  raw: Buffer;
}

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Identifier byte of a context-specific tag, constructed unless said otherwise. */
export function contextTag(number: number, constructed = true): number {
  return 0x80 | (constructed ? 0x20 : 0) | number;
}

/** Reads bytes that are exactly one value; throws DerError. */
export function readDer(bytes: Buffer, tag?: number): Der {
  const value = valueAt(bytes, 0);
  if (value.raw.length !== bytes.length) throw new DerError("bytes after the value");
  return tag === undefined ? value : expect(value, tag);
}

/** The values inside of a constructed one, at most 1,000; throws DerError. */
export function childrenOf(parent: Der, tag?: number): Der[] {
  if (tag !== undefined) expect(parent, tag);
  if ((parent.tag & 0x20) === 0) throw new DerError("not a constructed value");
  const found: Der[] = [];
  for (let at = 0; at < parent.content.length; ) {
    if (found.length === 1000) throw new DerError("too many values");
    const value = valueAt(parent.content, at);
    found.push(value);
    at += value.raw.length;
  }
  return found;
}

/** The value, which must be there and have this tag; throws DerError. */
export function expect(value: Der | undefined, tag: number): Der {
  if (value === undefined) throw new DerError("a value is missing");
  if (value.tag !== tag)
    throw new DerError(`tag 0x${value.tag.toString(16)} where 0x${tag.toString(16)} belongs`);
  return value;
}

function valueAt(bytes: Buffer, start: number): Der {
  const tag = bytes[start];
  let length = bytes[start + 1];
  if (tag === undefined || length === undefined) throw new DerError("cut off");
  if ((tag & 0x1f) === 0x1f) throw new DerError("a tag above 30");
  let at = start + 2;
  if (length >= 0x80) {
    const count = length & 0x7f;
    if (count === 0 || count > 4) throw new DerError("a length that DER does not have");
    if (at + count > bytes.length) throw new DerError("cut off");
    length = bytes.readUIntBE(at, count);
    at += count;
    if (length < 0x80 || (count > 1 && length < 2 ** (8 * (count - 1))))
      throw new DerError("a length that is not in its shortest form");
  }
  if (at + length > bytes.length) throw new DerError("cut off");
  return { tag, content: bytes.subarray(at, at + length), raw: bytes.subarray(start, at + length) };
}

/** Dotted decimal of an OBJECT IDENTIFIER; throws DerError. */
export function oidOf(value: Der | undefined): string {
  const { content } = expect(value, TAG.oid);
  if (content.length === 0 || content.length > 64) throw new DerError("not an object identifier");
  const arcs: number[] = [];
  let arc = 0;
  let open = false;
  for (const byte of content) {
    if (!open && byte === 0x80) throw new DerError("an arc that is not in its shortest form");
    arc = arc * 128 + (byte & 0x7f);
    if (!Number.isSafeInteger(arc)) throw new DerError("an arc that is too large");
    open = (byte & 0x80) !== 0;
    if (open) continue;
    if (arcs.length === 0) {
      const first = Math.min(Math.floor(arc / 40), 2);
      arcs.push(first, arc - first * 40);
    } else arcs.push(arc);
    arc = 0;
  }
  if (open) throw new DerError("an object identifier that is cut off");
  return arcs.join(".");
}

/** A small INTEGER, 0 to 2^31; throws DerError for others. */
export function smallInteger(value: Der | undefined): number {
  const { content } = expect(value, TAG.integer);
  if (content.length === 0 || content.length > 4 || content[0]! >= 0x80)
    throw new DerError("not a small number");
  return content.readUIntBE(0, content.length);
}

/** UTCTime (RFC 5280 §4.1.2.5.1) or GeneralizedTime, in UTC, as milliseconds since 1970; throws DerError. */
export function timeOf(value: Der | undefined): number {
  if (value === undefined) throw new DerError("a time is missing");
  const text = value.content.toString("latin1");
  const match =
    value.tag === TAG.utcTime
      ? /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)()Z$/.exec(text)
      : value.tag === TAG.generalizedTime
        ? /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d{1,9}))?Z$/.exec(text)
        : null;
  if (match === null) throw new DerError("not a time in UTC");
  const [, years, month, day, hour, minute, second, fraction] = match;
  let year = Number(years);
  if (value.tag === TAG.utcTime) year += year < 50 ? 2000 : 1900;
  const iso = `${String(year).padStart(4, "0")}-${month}-${day}T${hour}:${minute}:${second}.000Z`;
  const whole = Date.parse(iso);
  // Date.parse takes 31 February for 3 March in some engines.
  if (Number.isNaN(whole) || new Date(whole).toISOString() !== iso) throw new DerError("not a time");
  return whole + Math.floor(Number(`0.${fraction || "0"}`) * 1000);
}
