import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { literalStart, matchesPattern } from "./identity-pattern.ts";

test("a star stays within a path segment, two cross all, and the whole name must match", () => {
  const yes: [string, string][] = [
    ["a", "a"],
    ["a*", "a"],
    ["a*", "abc"],
    ["*@acme.example", "bob@acme.example"],
    [
      "https://github.com/acme/*/x.yml@refs/heads/main",
      "https://github.com/acme/agent/x.yml@refs/heads/main",
    ],
    ["https://github.com/acme/**", "https://github.com/acme/a/b/c@refs/tags/v1"],
    ["**b", "a/b/b"],
    ["a***c", "a/b/c"],
    ["*a*a*", "aa"],
    ["a.c", "a.c"],
  ];
  const no: [string, string][] = [
    ["a", "ab"],
    ["a", "ba"],
    ["a*", "a/b"],
    ["https://github.com/acme/*", "https://github.com/acme-evil/x"],
    ["https://github.com/acme/*/x.yml", "https://github.com/acme/a/b/x.yml"],
    ["*@acme.example", "x/y@acme.example"],
    ["*@acme.example", "bob@acme.example.evil"],
    ["a.c", "abc"],
    ["(a|b)", "a"],
    ["*a*a*", "a"],
    ["", "a"],
  ];
  for (const [pattern, subject] of yes) assert.ok(matchesPattern(pattern, subject), `${pattern} ${subject}`);
  for (const [pattern, subject] of no) assert.ok(!matchesPattern(pattern, subject), `${pattern} ${subject}`);
  assert.equal(literalStart("https://x/*/y"), "https://x/");
  assert.equal(literalStart("plain"), "plain");
});

test("it agrees with the regular expression of the same meaning", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", "/", "."), maxLength: 12 });
  const pattern = fc.array(fc.constantFrom("a", "b", "/", ".", "*", "**"), { maxLength: 8 });
  fc.assert(
    fc.property(pattern, text, (parts, subject) => {
      const source = parts
        .join("")
        .replace(/\*+|[.]/g, (found) => (found === "*" ? "[^/]*" : found === "." ? "\\." : "[^]*"));
      assert.equal(matchesPattern(parts.join(""), subject), new RegExp(`^(?:${source})$`).test(subject));
    }),
    { numRuns: 2000 },
  );
});

test("no pattern takes long, and what is too long matches nothing", () => {
  const begun = performance.now();
  matchesPattern("*a".repeat(512), "a".repeat(1024));
  matchesPattern("**a".repeat(341), `${"a".repeat(1023)}b`);
  assert.ok(performance.now() - begun < 1000);
  assert.ok(!matchesPattern("**", "a".repeat(1025)));
  assert.ok(!matchesPattern("*".repeat(1025), "a"));
});
