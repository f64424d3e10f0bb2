import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { sameDomain } from "./auth.ts";
import { parseChallenges } from "./challenge.ts";
import { findCredentials } from "./credentials.ts";

const base64 = (text: string) => Buffer.from(text).toString("base64");
const password = (user: string, word: string) => ({
  credentials: { kind: "password", user, password: word },
});

test("the most specific entry of a file counts, helpers of a host before words, a store last", () => {
  const auths = {
    "registry.example": { auth: base64("ann:a:b") },
    "registry.example/team": { auth: base64("team:t") },
    "https://index.docker.io/v1/": { username: "hub", password: "h" },
    "https://other.example": { identitytoken: "id", auth: base64("x:") },
    "empty.example": {},
  };
  const find = (registry: string, repository: string, more = {}) =>
    findCredentials({ auths, ...more }, registry, repository);
  assert.deepEqual(find("registry.example", "a/b"), password("ann", "a:b"));
  assert.deepEqual(find("registry.example", "team/b"), password("team", "t"));
  assert.deepEqual(find("registry.example", "teams/b"), password("ann", "a:b"));
  assert.deepEqual(find("docker.io", "library/alpine"), password("hub", "h"));
  assert.deepEqual(find("other.example", "a"), { credentials: { kind: "identity", token: "id" } });
  assert.equal(find("registry.example.evil.example", "a"), undefined);
  assert.equal(find("empty.example", "a"), undefined);
  const helped = find("registry.example", "a", { credHelpers: { "registry.example": "corp" } });
  assert.deepEqual(helped, { helper: "corp", server: "registry.example" });
  assert.deepEqual(find("empty.example", "a", { credsStore: "store" }), {
    helper: "store",
    server: "empty.example",
  });
  assert.equal(findCredentials([], "a.example", "b"), undefined);
});

test("challenges are read as RFC 9110 has them; nothing makes the reader throw", () => {
  const [basic, bearer] = parseChallenges(
    'Basic realm="a, b", Bearer realm="https://x/t",service=s, scope="p:q\\"r"',
  );
  assert.deepEqual([basic?.scheme, basic?.parameters.realm], ["basic", "a, b"]);
  assert.deepEqual({ ...bearer?.parameters }, { realm: "https://x/t", service: "s", scope: 'p:q"r' });
  const twice = parseChallenges('Bearer realm="one", realm="two"')[0];
  assert.equal(twice?.parameters.realm, "one");
  fc.assert(fc.property(fc.string(), (text) => void parseChallenges(text)));
  const began = performance.now();
  parseChallenges(`Bearer ${'a="'.repeat(2500)}`);
  assert.ok(performance.now() - began < 500);
});

test("only a service of the registry's own domain sees its password", () => {
  const same = (a: string, b: string) => sameDomain(new URL(`https://${a}`), new URL(`https://${b}`));
  assert.ok(same("auth.docker.io", "registry-1.docker.io") && same("gitlab.com", "registry.gitlab.com"));
  assert.ok(same("127.0.0.1:1", "localhost:2"));
  assert.ok(!same("evil.example", "registry.test") && !same("10.0.0.1", "99.0.0.1") && !same("com", "a.com"));
});
