import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { PrivateSigstore, skipPrivateSigstore } from "../../scripts/private-sigstore/fixture.ts";
import { WORKFLOW } from "../../scripts/private-sigstore/scene.ts";
import { needTools } from "../../scripts/toolbox/find.ts";
import { type RunningRegistry, serveRegistry } from "../../scripts/toolbox/serve-registry.ts";
import type { Json } from "../core/canonical-json.ts";
import { sha256 } from "../core/digest.ts";
import { OCI_MANIFEST } from "../formats/oci.ts";
import { bytesSource } from "../net/oci/upload.ts";
import { IMAGE_SIGNATURE } from "../verify/image-judge.ts";
import { signImage } from "./image-sign.ts";
import { imageSigners } from "./image-signers.ts";
import { verifyImage } from "./image-verify.ts";
import { type OpenedImage, openImage } from "./open-image.ts";
import { openKeyless } from "./sign-keyless.ts";

const tools = needTools("cosign2", "cosign3", "docker-registry");
const run = promisify(execFile);

describe("keyless images against a private Sigstore", { skip: skipPrivateSigstore || tools.skip }, () => {
  let sigstore: PrivateSigstore;
  let registry: RunningRegistry;
  let root: string;
  let config: string;
  const now = () => new Date();

  before(async () => {
    sigstore = await PrivateSigstore.start();
    registry = await serveRegistry(tools.paths["docker-registry"]);
    root = sigstore.write("trusted_root.json", JSON.stringify(sigstore.trustedRoot()));
    config = sigstore.write("signing_config.json", JSON.stringify(sigstore.signingConfig()));
  });
  after(async () => {
    await registry?.stop();
    await sigstore?.stop();
  });

  const cosign = (...args: string[]) => program("cosign3", ...args);
  const program = (name: "cosign2" | "cosign3", ...args: string[]) =>
    run(tools.paths[name], args, {
      env: { PATH: process.env.PATH!, HOME: sigstore.folder, TUF_ROOT: sigstore.folder },
      timeout: 60_000,
    });
  const insecure = ["--allow-insecure-registry", "--allow-http-registry"];

  async function image(name: string): Promise<{ opened: OpenedImage; reference: string }> {
    const opened = openImage(`${registry.host}/team/${name}:v1`, { env: { HOME: sigstore.folder } });
    const body = Buffer.from(`{"name":"${name}"}`);
    await opened.store.upload(bytesSource(body));
    const descriptor = { mediaType: "application/json", digest: `sha256:${sha256(body)}`, size: body.length };
    const manifest = { schemaVersion: 2, mediaType: OCI_MANIFEST, config: descriptor, layers: [] };
    const digest = await opened.store.write(Buffer.from(JSON.stringify(manifest)), OCI_MANIFEST, "v1");
    return { opened, reference: `${registry.host}/team/${name}@sha256:${digest}` };
  }

  const verdictOf = async (opened: OpenedImage, subject: string, trustedRoot = root) =>
    verifyImage(opened, {
      types: [IMAGE_SIGNATURE],
      signers: await imageSigners(
        { by: "identity", subject, issuer: sigstore.issuer.url("github") },
        { trustedRoot, requireLog: false, now: now() },
      ),
    });

  test("what cosign signs by a workflow's identity is verified here, and no other identity is", async () => {
    const { opened, reference } = await image("theirs");
    const token = ["--identity-token", sigstore.githubToken()];
    await cosign(
      "sign",
      "--signing-config",
      config,
      "--trusted-root",
      root,
      ...token,
      ...insecure,
      "--yes",
      reference,
    );
    const verdict = await verdictOf(opened, WORKFLOW);
    assert.equal(verdict.outcome, "allow", JSON.stringify(verdict.findings));
    const [{ established }] = verdict.accepted as [(typeof verdict.accepted)[0]];
    assert.ok(established.times.length > 0 && established.logged.length > 0);
    const other = await verdictOf(opened, WORKFLOW.replace("main", "other"));
    assert.deepEqual([other.outcome, other.findings.at(-1)?.code], ["deny", "WB-IMAGE-033"]);
  });

  test("what is signed here by a workflow's identity cosign verifies", async () => {
    const { opened, reference } = await image("ours");
    const options = { token: sigstore.githubToken(), signingConfig: config, trustedRoot: root };
    const statements = await openKeyless(options, { env: {}, now });
    await signImage(opened, { statements }, ["referrer"], now());
    assert.equal((await verdictOf(opened, WORKFLOW)).outcome, "allow");
    const identity = [
      "--certificate-identity",
      WORKFLOW,
      "--certificate-oidc-issuer",
      sigstore.issuer.url("github"),
    ];
    await cosign(
      "verify",
      "--trusted-root",
      root,
      ...identity,
      ...insecure,
      "--use-signed-timestamps",
      reference,
    );
    await assert.rejects(signImage(opened, { statements }, ["tag"], now()), { code: "WB-INPUT-007" });
  });

  test("what cosign 2 signs into a tag, with a certificate and a timestamp, is verified here", async () => {
    const { opened, reference } = await image("tagged");
    const services = ["--fulcio-url", sigstore.fulcioUrl, "--timestamp-server-url", sigstore.tsaUrl];
    const token = ["--identity-token", sigstore.githubToken(), "--insecure-skip-verify"];
    await program(
      "cosign2",
      "sign",
      ...services,
      ...token,
      "--tlog-upload=false",
      ...insecure,
      "--yes",
      reference,
    );
    // Where a root has logs, a certificate must be in one: this signature is in none.
    const unlogged = await verdictOf(opened, WORKFLOW);
    assert.equal(unlogged.outcome, "deny");
    assert.match(unlogged.findings.flatMap(({ details }) => details ?? []).join(), /WB-LOG-001/);
    const { tlogs: _, ...others } = sigstore.trustedRoot() as { [key: string]: Json };
    const withoutLogs = sigstore.write("without-logs.json", JSON.stringify({ ...others, tlogs: [] }));
    const verdict = await verdictOf(opened, WORKFLOW, withoutLogs);
    assert.equal(verdict.outcome, "allow", JSON.stringify(verdict.findings));
    assert.deepEqual(
      [verdict.accepted[0]?.layout, verdict.accepted[0]?.established.times[0]?.by],
      ["tag", "rfc3161"],
    );
  });
});
