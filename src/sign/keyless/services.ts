import type { Json } from "../../core/canonical-json.ts";
import { fieldsOf, listOf, optional, ShapeError, textOf } from "../json-shape.ts";

/** The services that a keyless signature needs. */
export interface Services {
  fulcio: URL;
  /** At least one log or timestamp authority; a Rekor v2 log gives no time, so it needs an authority. */
  rekor: readonly { url: URL; version: 1 | 2 }[];
  /** Full addresses. */
  timestamps: readonly URL[];
}

/**
 * Sigstore's public-good services: what its signing_config.v0.2.json (sigstore/root-signing) named when this version was
 * made, and what the shipped trusted root knows.
 */
export const PUBLIC_GOOD: Services = {
  fulcio: new URL("https://fulcio.sigstore.dev"),
  rekor: [{ url: new URL("https://log2025-1.rekor.sigstore.dev"), version: 2 }],
  timestamps: [new URL("https://timestamp.sigstore.dev/api/v1/timestamp")],
};

const MEDIA_TYPE = "application/vnd.dev.sigstore.signingconfig.v0.2+json";
const MAX_SERVICES = 32;

interface Service {
  url: URL;
  version: number;
  operator: string;
  start: number;
}

/**
 * Picks the services out of a signing config (sigstore/protobuf-specs, sigstore_trustroot.proto, SigningConfig v0.2): of
 * each kind those that count now and whose API is spoken here, of each operator the newest API, then as many as the
 * selector says.
 *
 * @param now in milliseconds since 1970
 * @returns the services, or why there are none. Never throws.
 */
export function readSigningConfig(data: Json, now: number): Services | { problem: string } {
  try {
    const config = fieldsOf(data, "document");
    if (textOf(config.mediaType, "mediaType", 128) !== MEDIA_TYPE)
      throw new ShapeError("mediaType: not that of a signing config v0.2");
    const [authority] = servicesOf(config.caUrls, "caUrls", 1, now);
    if (!authority) throw new ShapeError("caUrls: none that counts now and speaks version 1");
    const logs = servicesOf(config.rekorTlogUrls, "rekorTlogUrls", 2, now);
    const stamps = servicesOf(config.tsaUrls, "tsaUrls", 1, now);
    const services: Services = {
      fulcio: authority.url,
      rekor: selected(logs, optional(config, "rekorTlogConfig"), "rekorTlogConfig").map(
        ({ url, version }) => ({
          url,
          version: version === 1 ? 1 : 2,
        }),
      ),
      timestamps: selected(stamps, optional(config, "tsaConfig"), "tsaConfig").map(({ url }) => url),
    };
    const missing = lackingTime(services);
    return missing === null ? services : { problem: missing };
  } catch (error) {
    if (error instanceof ShapeError) return { problem: `not a signing config: ${error.message}` };
    throw error;
  }
}

/** Why these services would make signatures without a trusted time, or null. */
export function lackingTime({ rekor, timestamps }: Services): string | null {
  if (timestamps.length > 0 || rekor.some(({ version }) => version === 1)) return null;
  return rekor.length > 0
    ? "a Rekor v2 log gives no time: a timestamp authority is needed beside it"
    : "neither a log nor a timestamp authority: nothing would tell when the certificate was used";
}

/** Those that count, the newest API and then the newest start first, one of each operator. */
function servicesOf(list: Json | undefined, at: string, most: number, now: number): Service[] {
  const found = listOf(list, at, MAX_SERVICES)
    .map((one, i) => serviceOf(one, `${at}.${i}`, now))
    .filter((service) => service !== undefined)
    .filter(({ version }) => version >= 1 && version <= most)
    .toSorted((a, b) => b.version - a.version || b.start - a.start);
  return found.filter(({ operator }, i) => found.findIndex((other) => other.operator === operator) === i);
}

function serviceOf(value: Json, at: string, now: number): Service | undefined {
  const fields = fieldsOf(value, at);
  const text = textOf(fields.url, `${at}.url`, 1024);
  if (!URL.canParse(text)) throw new ShapeError(`${at}.url: not an address`);
  const version = fields.majorApiVersion;
  if (typeof version !== "number") throw new ShapeError(`${at}.majorApiVersion: missing`);
  const window = fieldsOf(fields.validFor, `${at}.validFor`);
  const start = momentOf(window.start, `${at}.validFor.start`);
  const end = optional(window, "end");
  if (start > now || (end !== undefined && momentOf(end, `${at}.validFor.end`) < now)) return undefined;
  const operator = optional(fields, "operator");
  return {
    url: new URL(text),
    version,
    start,
    operator: operator === undefined ? text : textOf(operator, `${at}.operator`, 256),
  };
}

function momentOf(value: Json | undefined, at: string): number {
  const text = textOf(value, at, 64);
  const at1970 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at1970)) throw new ShapeError(`${at}: not a time in UTC`);
  return at1970;
}

/** As many as a ServiceConfiguration says: ANY is one, ALL is all, EXACT is `count` of them. */
function selected(services: readonly Service[], config: Json | undefined, at: string): readonly Service[] {
  if (config === undefined) return [];
  const fields = fieldsOf(config, at);
  const selector = optional(fields, "selector");
  if (selector === undefined) return [];
  const count = selector === "ANY" ? 1 : selector === "ALL" ? services.length : fields.count;
  if (!["ANY", "ALL", "EXACT"].includes(String(selector)) || typeof count !== "number")
    throw new ShapeError(`${at}: selector not understood`);
  if (count < 1 || services.length < count)
    throw new ShapeError(`${at}: ${count} wanted, ${services.length} that count now`);
  return services.slice(0, count);
}
