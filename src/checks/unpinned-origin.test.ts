import assert from "node:assert/strict";
import { test } from "node:test";
import { folder, judge } from "./testing.ts";
import { unpinnedOrigin } from "./unpinned-origin.ts";

const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const HEX = "0123456789abcdef".repeat(4);

const model = (origin: string): string =>
  `components:\n  - kind: model\n    name: intent\n    path: m\n    origin: "${origin}"`;

test("origins without a pin are found at their line", () => {
  for (const origin of [
    "hf://acme/intent",
    "hf://acme/intent@main",
    `hf://acme/intent@${COMMIT.slice(1)}`,
    "oci://ghcr.io/acme/intent:v1",
    `oci://ghcr.io/acme/intent@sha256:${HEX.slice(1)}`,
    "git+https://github.com/acme/intent",
    "git+https://github.com/acme/intent#main",
    "git+ssh://git@github.com/acme/intent.git#v1.2",
    "s3://bucket/intent.bin",
    "https://example.com/intent.bin",
    "http://example.com/intent.bin",
  ])
    assert.equal(judge(unpinnedOrigin, { manifest: model(origin) }), "fail 5", origin);
});

test("plain http is never enough, https is where the lock pins the bytes", () => {
  const http = { manifest: model("http://example.com/intent.bin"), locked: true };
  assert.equal(judge(unpinnedOrigin, http), "fail 5");
  assert.equal(judge(unpinnedOrigin, { ...http, manifest: model("https://example.com/x") }), "pass");
});

test("pinned origins pass, unknown schemes are not evaluated", () => {
  for (const origin of [
    `hf://acme/intent@${COMMIT}`,
    `hf://datasets/acme/intent@${COMMIT}`,
    `oci://ghcr.io/acme/intent@sha256:${HEX}`,
    `oci://ghcr.io/acme/intent:v1@sha256:${HEX}`,
    `git+https://github.com/acme/intent#${COMMIT}`,
    `git+ssh://git@github.com/acme/intent.git#${COMMIT}`,
    "s3://bucket/intent.bin?versionId=abc",
  ])
    assert.equal(judge(unpinnedOrigin, { manifest: model(origin) }), "pass", origin);
  assert.equal(judge(unpinnedOrigin, { manifest: model("ipfs://x") }), "not-evaluated");
});

test("the reference of an image needs a digest", () => {
  const image = (ref: string): string =>
    `components:\n  - kind: image\n    name: agent\n    path: image\n    ref: ${ref}`;
  assert.equal(judge(unpinnedOrigin, { manifest: image("ghcr.io/acme/agent:v1") }), "fail 5");
  assert.equal(judge(unpinnedOrigin, { manifest: image(`ghcr.io/acme/agent@sha256:${HEX}`) }), "pass");
});

test("the coverage counts", () => {
  assert.equal(unpinnedOrigin.run(folder()).coverage, "no origin or image reference declared");
  assert.equal(
    unpinnedOrigin.run(folder({ manifest: model(`hf://acme/intent@${COMMIT}`) })).coverage,
    "1 of 1 sources pinned",
  );
});
