/** A JSON value: what `canonicalJson` takes and `parseStrictJson` gives. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Nesting that `canonicalJson` accepts: above it the value is a mistake, most often a cycle. */
const MAX_WRITE_DEPTH = 100;

/**
 * The canonical text of a value, RFC 8785 (JCS): no white space, keys in the order of their UTF-16 code units
 * (§3.2.3, which is *not* the order of their UTF-8 bytes), numbers as ECMAScript prints them (§3.2.2.3, so -0
 * is `0`), strings with the shortest escapes (§3.2.2.2). Its UTF-8 bytes are what gets hashed and signed.
 *
 * Nothing is dropped or converted on the way, as JSON.stringify would: NaN, infinities, lone surrogates,
 * undefined (also as the value of a key), bigint, functions, symbols, class instances and nesting over 100
 * throw a TypeError that names the path, such as `$.tools[2].name`.
 */
export function canonicalJson(value: Json): string {
  const out: string[] = [];
  write(value, out, []);
  return out.join("");
}

function write(value: unknown, out: string[], path: (string | number)[]): void {
  if (value === null || typeof value === "boolean") out.push(String(value));
  else if (typeof value === "number") {
    if (!Number.isFinite(value)) throw notJson(String(value), path);
    // JSON.stringify rather than String: the two agree on every finite number, and this one says "JSON".
    out.push(JSON.stringify(value));
  } else if (typeof value === "string") out.push(quote(value, path));
  else if (typeof value !== "object") throw notJson(typeof value, path);
  else if (path.length >= MAX_WRITE_DEPTH) throw notJson("nesting over 100 (or a cycle)", path);
  else if (Array.isArray(value)) writeArray(value, out, path);
  else writeObject(value as Record<string, unknown>, out, path);
}

function writeArray(value: unknown[], out: string[], path: (string | number)[]): void {
  // Holes have no key, named properties (a RegExp match has some) have one too many: both would be lost.
  if (Object.getPrototypeOf(value) !== Array.prototype || Object.keys(value).length !== value.length) {
    throw notJson("an array with holes, named properties or a class", path);
  }
  for (let i = 0; i < value.length; i += 1) {
    out.push(i === 0 ? "[" : ",");
    path.push(i);
    write(value[i], out, path);
    path.pop();
  }
  out.push(value.length === 0 ? "[]" : "]");
}

function writeObject(value: Record<string, unknown>, out: string[], path: (string | number)[]): void {
  const prototype = Object.getPrototypeOf(value) as unknown;
  // A Date, Map, Uint8Array… has no JSON form of its own; guessing one would sign something nobody meant.
  if (prototype !== Object.prototype && prototype !== null) throw notJson("an object with a class", path);
  if (Object.getOwnPropertySymbols(value).length > 0) throw notJson("an object with a symbol key", path);
  // The default sort order is that of UTF-16 code units, as §3.2.3 asks.
  const keys = Object.keys(value).sort();
  let separator = "{";
  for (const key of keys) {
    path.push(key);
    out.push(separator, quote(key, path), ":");
    // `keys` are own keys, so `value["__proto__"]` is the own property and never the prototype.
    write(value[key], out, path);
    path.pop();
    separator = ",";
  }
  out.push(keys.length === 0 ? "{}" : "}");
}

/** RFC 8785 §3.2.2.2 defines strings by JSON.stringify, except that a lone surrogate must be an error. */
function quote(text: string, path: readonly (string | number)[]): string {
  if (!text.isWellFormed()) throw notJson("a string with a lone surrogate", path);
  return JSON.stringify(text);
}

function notJson(what: string, path: readonly (string | number)[]): TypeError {
  let where = "$";
  for (const step of path.slice(0, 12)) {
    if (typeof step === "number") where += `[${step}]`;
    else where += /^[A-Za-z_][A-Za-z0-9_]*$/.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`;
  }
  return new TypeError(`not canonical JSON: ${what} at ${where}${path.length > 12 ? "…" : ""}`);
}
