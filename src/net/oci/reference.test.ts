import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatReference, parseReference } from "./reference.ts";

const HEX = "ab".repeat(32);

test("references as people write them", () => {
  const cases: [string, string][] = [
    ["alpine", "docker.io/library/alpine:latest"],
    ["alpine:3.20", "docker.io/library/alpine:3.20"],
    ["team/agent:1", "docker.io/team/agent:1"],
    ["index.docker.io/library/alpine", "docker.io/library/alpine:latest"],
    ["registry.example/a/b/c:v1", "registry.example/a/b/c:v1"],
    ["Registry.Example/a:v1", "registry.example/a:v1"],
    ["localhost/agent", "localhost/agent:latest"],
    ["127.0.0.1:5000/agent", "127.0.0.1:5000/agent:latest"],
    ["[::1]:5000/agent:x", "[::1]:5000/agent:x"],
    [`registry.example/a@sha256:${HEX}`, `registry.example/a@sha256:${HEX}`],
    [`registry.example/a:v1@sha256:${HEX}`, `registry.example/a:v1@sha256:${HEX}`],
  ];
  for (const [text, expected] of cases) assert.equal(formatReference(parseReference(text)), expected, text);
});

test("what is none is refused with the rule that it breaks", () => {
  const cases: [string, RegExp][] = [
    ["", /names no repository/],
    ["https://registry.example/a", /not a reference/],
    ["registry.example/", /names no repository/],
    ["registry.example/A", /'A' is not part/],
    ["registry.example/a//b", /names no repository/],
    ["registry.example/../b", /'\.\.' is not part/],
    ["registry.example/a:", /its tag is none/],
    ["registry.example/a:v 1", /its tag is none/],
    ["registry.example:99999/a", /port/],
    ["-bad-.example/a", /host name/],
    ["127.1:5000/a", /not written plainly/],
    ["1.2.3.999/a", /not written plainly/],
    ["[0:0::1]:5000/a", /not written plainly/],
    ["user:secret@registry.example/a", /not a sha256 digest/],
    [`registry.example/a@sha256:${"AB".repeat(32)}`, /lower-case/],
    [`registry.example/a@sha512:${"ab".repeat(64)}`, /sha512 digests are not read/],
    [`registry.example/${"a/".repeat(200)}a`, /longer than 255/],
    ["x".repeat(2000), /longer than 1024/],
  ];
  for (const [text, reason] of cases)
    assert.throws(() => parseReference(text), { code: "WB-INPUT-019", message: reason }, text);
});

test("what is accepted stays on its host and in its repository, whatever the text", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[a-zA-Z0-9.:/@_-]{1,60}$/)), (text) => {
      let parsed: ReturnType<typeof parseReference>;
      try {
        parsed = parseReference(text);
      } catch (error) {
        assert.equal((error as { code: string }).code, "WB-INPUT-019");
        return;
      }
      const url = new URL(`/v2/${parsed.repository}/manifests/x`, `https://${parsed.registry}/`);
      assert.equal(url.pathname, `/v2/${parsed.repository}/manifests/x`);
      assert.deepEqual(parseReference(formatReference(parsed)), parsed);
    }),
    { numRuns: 1000 },
  );
});
