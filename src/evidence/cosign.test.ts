import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { needTool } from "../../scripts/toolbox/find.ts";
import type { ComponentLeaf } from "../core/component.ts";
import { sha256 } from "../core/digest.ts";
import { encodeRelease, makeRelease } from "../core/release.ts";
import { makeKeyBundle } from "../sign/bundle.ts";
import { generateKeyPair, publicKeyPem } from "../sign/keys.ts";
import { makeChannelStatement } from "./channel.ts";
import { makeReleaseStatement } from "./release.ts";
import { encodeStatement } from "./statement.ts";

const leaf: ComponentLeaf = {
  kind: "prompt",
  name: "système",
  mediaType: "text/plain",
  digest: `sha256:${sha256("prompt")}`,
  size: 6,
};

const { path: cosign, skip } = needTool("cosign2");

test("cosign verifies our bundles over the bytes of the release document", { timeout: 60_000, skip }, () => {
  const dir = mkdtempSync(join(tmpdir(), "waybill-cosign-"));
  try {
    const { privateKey, publicKey } = generateKeyPair();
    const release = makeRelease("support-agent", [leaf], sha256("settings"));
    const put = (name: string, data: string) => {
      writeFileSync(join(dir, name), data);
      return join(dir, name);
    };
    const run = (...args: string[]) => {
      const env = { ...process.env, HOME: dir, TUF_ROOT: join(dir, "tuf") };
      const { status, stderr } = spawnSync(cosign, args, { encoding: "utf8", env });
      return { status, stderr };
    };
    const root = join(dir, "root.json");
    assert.equal(run("trusted-root", "create", "--out", root).status, 0);
    const file = put("release.json", encodeRelease(release.document));
    const releaseStatement = makeReleaseStatement("support-agent", [leaf], sha256("settings"));
    const channelStatement = makeChannelStatement({
      agent: "support-agent",
      target: "production",
      seq: 1,
      expires: "2027-06-01T00:00:00Z",
      releases: [release.digest, sha256("older")],
    });
    const releaseBundle = put("release.bundle", makeKeyBundle(encodeStatement(releaseStatement), privateKey));
    const channelBundle = put("channel.bundle", makeKeyBundle(encodeStatement(channelStatement), privateKey));
    const key = put("k.pub", publicKeyPem(publicKey));
    const verify = (bundle: string, type: string, artifact = file, by = key) =>
      run(
        ...["verify-blob-attestation", "--key", by, "--bundle", bundle, "--new-bundle-format"],
        ...["--type", type, "--insecure-ignore-tlog", "--trusted-root", root, artifact],
      );
    const accepted = verify(releaseBundle, "urn:waybill:release:v1");
    assert.equal(accepted.status, 0, accepted.stderr);
    const channel = verify(channelBundle, "urn:waybill:channel:v1");
    assert.equal(channel.status, 0, channel.stderr);
    // The same command must be able to say no, or its yes means nothing.
    assert.notEqual(verify(releaseBundle, "urn:waybill:channel:v1").status, 0);
    assert.notEqual(verify(releaseBundle, "urn:waybill:release:v1", put("other", "other")).status, 0);
    const stranger = put("other.pub", publicKeyPem(generateKeyPair().publicKey));
    assert.notEqual(verify(releaseBundle, "urn:waybill:release:v1", file, stranger).status, 0);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
