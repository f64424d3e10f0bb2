import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { sha256 } from "../core/digest.ts";
import { lockFolder } from "../flows/lock.ts";
import { openImage } from "../flows/open-image.ts";
import { OCI_MANIFEST } from "../formats/oci.ts";
import { bytesSource } from "../net/oci/upload.ts";
import { createKey } from "../sign/key-store.ts";
import { looksLikeImage, platformOf } from "./image-options.ts";
import { paintFor } from "./io.ts";
import { main } from "./main.ts";
import {
  attestOutputSchema,
  imageSignOutputSchema,
  imageVerifyOutputSchema,
  pushOutputSchema,
} from "./outputs/image.ts";

const root = mkdtempSync(join(tmpdir(), "waybill-cli-image-"));
after(() => rmSync(root, { recursive: true, force: true }));
const home = join(root, "home");
createKey({ home, name: "default", passphrase: "tulip" });
const pub = join(home, "keys", "default.pub");

async function run(...words: string[]): Promise<{ code: number; out: string; err: string }> {
  const said = { out: "", err: "" };
  const code = await main(words, {
    out: (text) => {
      said.out += text;
    },
    err: (text) => {
      said.err += text;
    },
    env: { WAYBILL_HOME: home, WAYBILL_PASSPHRASE: "tulip", HOME: root },
    cwd: root,
    now: () => new Date("2026-05-01T00:00:00Z"),
    signal: new AbortController().signal,
    width: 100,
    interactive: false,
    paint: paintFor(false, {}),
  });
  return { code, ...said };
}

test("an image is denied, signed, allowed, attested, in every format", async () => {
  const layout = `oci:${join(root, "layout")}`;
  const { store } = openImage(layout, { env: {} }, { create: true });
  const config = Buffer.from("{}");
  await store.upload(bytesSource(config));
  const descriptor = { mediaType: "application/json", digest: `sha256:${sha256(config)}`, size: 2 };
  const manifest = { schemaVersion: 2, mediaType: OCI_MANIFEST, config: descriptor, layers: [] };
  await store.write(Buffer.from(JSON.stringify(manifest)), OCI_MANIFEST, "v1");

  const denied = await run("verify", `${layout}:v1`, "--key", pub);
  assert.equal(denied.code, 1, denied.err);
  assert.match(denied.out, /WB-IMAGE-030/);
  const signed = await run("sign", `${layout}:v1`, "--format", "json");
  assert.equal(signed.code, 0, signed.err);
  imageSignOutputSchema.parse(JSON.parse(signed.out));
  const allowed = await run("verify", `${layout}:v1`, "--key", pub, "--format", "json");
  assert.equal(allowed.code, 0, allowed.out + allowed.err);
  assert.equal(imageVerifyOutputSchema.parse(JSON.parse(allowed.out)).accepted.length, 2);
  // Its signatures do not hide which image the layout holds.
  assert.equal((await run("verify", layout, "--key", pub)).code, 0);

  const predicate = join(root, "predicate.json");
  writeFileSync(predicate, '{"result":"PASSED"}');
  const claim = ["--predicate", predicate, "--type", "test-result"];
  const attested = await run("attest", `${layout}:v1`, ...claim, "--layout", "v3", "--format", "json");
  assert.equal(imageSignOutputSchema.parse(JSON.parse(attested.out)).places.length, 1);
  assert.equal((await run("verify", `${layout}:v1`, "--key", pub, "--type", "test-result")).code, 0);
  assert.equal((await run("verify", `${layout}:v1`, "--key", pub, "--type", "sbom")).code, 1);
  const file = await run("attest", predicate, ...claim, "--format", "json");
  const { file: bundle } = attestOutputSchema.parse(JSON.parse(file.out));
  const type = "https://in-toto.io/attestation/test-result/v0.1";
  assert.equal((await run("verify", bundle, "--key", pub, "--artifact", predicate, "--type", type)).code, 0);
});

test("a release goes through a layout by command", async () => {
  const folder = join(root, "agent");
  mkdirSync(folder);
  writeFileSync(join(folder, "system.md"), "You are a helpful agent.\n");
  const components = [{ kind: "prompt", name: "system", path: "system.md" }];
  writeFileSync(
    join(folder, "waybill.yaml"),
    JSON.stringify({ waybill: "v1", agent: "hello", components, start: { command: ["node"] } }),
  );
  await lockFolder(folder, {});
  const layout = `oci:${join(root, "releases")}:1`;
  const pushed = await run("push", layout, "-C", folder, "--format", "json");
  assert.equal(pushed.code, 0, pushed.err);
  pushOutputSchema.parse(JSON.parse(pushed.out));
  const pulled = await run("pull", layout, "--dir", join(root, "pulled"));
  assert.equal(pulled.code, 1);
  assert.match(pulled.err, /nothing was placed/);
  const observed = await run("pull", layout, "--dir", join(root, "pulled"), "--level", "observe");
  assert.equal(observed.code, 0, observed.out + observed.err);
});

test("a mistyped path is not asked for on the internet", async () => {
  const images = [
    "oci:x",
    "a.example/b",
    "localhost/b",
    "alpine:3",
    `a@sha256:${"0".repeat(64)}`,
    "a.example:5/b:c",
  ];
  const others = [
    "x.sigstore.json",
    "dir/x.sigstore.json",
    "./a.example/b",
    "../b:c",
    "/tmp/x:y",
    "team/agent",
    "https://a.example/b",
    "~/x:y",
  ];
  assert.deepEqual(
    images.filter((text) => !looksLikeImage(text)),
    [],
  );
  assert.deepEqual(
    others.filter((text) => looksLikeImage(text)),
    [],
  );
  assert.equal((await run("verify", "dir/x.sigstore.json", "--key", pub)).code, 4);
  assert.equal((await run("verify", "a.example/x:1")).code, 2, "nobody was named");
  assert.equal(platformOf("linux/arm64/v8"), "linux/arm64/v8");
  assert.throws(() => platformOf("linux"), { code: "WB-INPUT-007" });
});
