import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Json } from "../../core/canonical-json.ts";
import { lackingTime, PUBLIC_GOOD, readSigningConfig } from "./services.ts";

const NOW = Date.parse("2026-06-01T12:00:00Z");
const service = (url: string, majorApiVersion: number, more: { [key: string]: Json } = {}): Json => ({
  url,
  majorApiVersion,
  validFor: { start: "2025-01-01T00:00:00Z" },
  operator: "example.com",
  ...more,
});
const config = (more: { [key: string]: Json } = {}): { [key: string]: Json } => ({
  mediaType: "application/vnd.dev.sigstore.signingconfig.v0.2+json",
  caUrls: [service("https://fulcio.example.com", 1)],
  rekorTlogUrls: [service("https://v1.example.com", 1), service("https://v2.example.com", 2)],
  rekorTlogConfig: { selector: "ANY" },
  tsaUrls: [service("https://tsa.example.com/stamp", 1)],
  tsaConfig: { selector: "ANY" },
  ...more,
});
const read = (data: Json) => {
  const services = readSigningConfig(data, NOW);
  assert.ok(!("problem" in services), JSON.stringify(services));
  return services;
};
const problemOf = (data: Json) => {
  const services = readSigningConfig(data, NOW);
  assert.ok("problem" in services);
  return services.problem;
};

test("the newest API that is spoken here is taken, one of each operator", () => {
  const services = read(config());
  assert.equal(services.fulcio.href, "https://fulcio.example.com/");
  assert.deepEqual(services.rekor, [{ url: new URL("https://v2.example.com"), version: 2 }]);
  assert.deepEqual(services.timestamps, [new URL("https://tsa.example.com/stamp")]);
  const newer = [service("https://v2.example.com", 2), service("https://v3.example.com", 3)];
  assert.equal(read(config({ rekorTlogUrls: newer })).rekor[0]!.version, 2);
});

test("what is over or still to come does not count", () => {
  const over = { validFor: { start: "2025-01-01T00:00:00Z", end: "2026-01-01T00:00:00Z" } };
  const later = { validFor: { start: "2027-01-01T00:00:00Z" } };
  const logs = [service("https://a.example.com", 2, over), service("https://b.example.com", 2, later)];
  const both = config({ rekorTlogUrls: [...logs, service("https://c.example.com", 2)] });
  assert.equal(read(both).rekor[0]!.url.host, "c.example.com");
  assert.match(problemOf(config({ rekorTlogUrls: logs })), /1 wanted, 0 that count now/);
  assert.match(problemOf(config({ caUrls: [service("https://f.example.com", 1, over)] })), /caUrls/);
  assert.match(
    problemOf(config({ caUrls: [{ url: "https://f.example.com", majorApiVersion: 1 }] })),
    /validFor/,
  );
});

test("selectors: one, all, so many; fewer than asked for refuse the whole", () => {
  const other = { operator: "example.org" };
  const rekorTlogUrls = [service("https://a.example.com", 2), service("https://a.example.org", 2, other)];
  const count = (rekorTlogConfig: Json) => read(config({ rekorTlogUrls, rekorTlogConfig })).rekor.length;
  assert.equal(count({ selector: "ANY" }), 1);
  assert.equal(count({ selector: "ALL" }), 2);
  assert.equal(count({ selector: "EXACT", count: 2 }), 2);
  assert.equal(count({}), 0);
  assert.match(
    problemOf(config({ rekorTlogUrls, rekorTlogConfig: { selector: "EXACT", count: 3 } })),
    /3 wanted, 2/,
  );
  assert.match(problemOf(config({ rekorTlogUrls, rekorTlogConfig: { selector: "SOME" } })), /not understood/);
});

test("a signature without a trusted time is refused: Rekor v2 alone, or nothing at all", () => {
  assert.match(problemOf(config({ tsaConfig: {} })), /Rekor v2 log gives no time/);
  assert.match(problemOf(config({ tsaConfig: {}, rekorTlogConfig: {} })), /neither a log nor/);
  const v1 = config({ tsaConfig: {}, rekorTlogUrls: [service("https://v1.example.com", 1)] });
  assert.equal(read(v1).rekor[0]!.version, 1);
  assert.equal(lackingTime(PUBLIC_GOOD), null);
});

test("another document is refused, and none makes it throw", () => {
  assert.match(problemOf({ mediaType: "application/vnd.dev.sigstore.signingconfig.v0.1+json" }), /v0\.2/);
  assert.match(problemOf(config({ tsaUrls: [service("not an address", 1)] })), /not an address/);
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(...Object.keys(config())), (value, key) => {
      readSigningConfig(value as Json, NOW);
      readSigningConfig(config({ [key]: value as Json }), NOW);
    }),
  );
});
