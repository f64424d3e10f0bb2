import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { findRegistryCredentials } from "./registry-credentials.ts";

const base64 = (text: string) => Buffer.from(text).toString("base64");
const folder = mkdtempSync(join(tmpdir(), "waybill-creds-"));
after(() => rmSync(folder, { recursive: true, force: true }));

test("files are looked for where docker and podman keep them, and helpers are asked", async () => {
  const helper = join(folder, "docker-credential-test");
  writeFileSync(
    helper,
    '#!/bin/sh\nread server\n[ "$server" = gone.example ] && { echo "credentials not found in native keychain"; exit 1; }\n[ "$server" = bad.example ] && { echo nonsense; exit 0; }\nprintf \'{"Username":"<token>","Secret":"for-%s"}\' "$server"\n',
  );
  chmodSync(helper, 0o755);
  const helpers = ["asked.example", "gone.example", "bad.example"].map((host) => [host, "test"]);
  const config = join(folder, "config.json");
  writeFileSync(
    config,
    JSON.stringify({
      auths: { "plain.example": { auth: base64("ann:tulip") } },
      credHelpers: {
        ...Object.fromEntries(helpers),
        "path.example": "../../bin/sh",
        "none.example": "missing",
      },
    }),
  );
  const env = { PATH: `${folder}:/usr/bin:/bin`, HOME: folder, DOCKER_CONFIG: folder };
  const find = (host: string, more = {}) => findRegistryCredentials(host, "a/b", { ...env, ...more });
  assert.deepEqual(await find("plain.example"), { kind: "password", user: "ann", password: "tulip" });
  assert.deepEqual(await find("asked.example"), { kind: "identity", token: "for-asked.example" });
  assert.equal(await find("gone.example"), undefined);
  assert.equal(await find("plain.example", { DOCKER_CONFIG: join(folder, "none") }), undefined);
  for (const host of ["bad.example", "path.example", "none.example"])
    await assert.rejects(find(host), { code: "WB-NET-003" }, host);
  const named = { REGISTRY_AUTH_FILE: join(folder, "absent.json") };
  await assert.rejects(find("plain.example", named), { code: "WB-INPUT-001" });
  writeFileSync(join(folder, "broken.json"), '{"auths": {"x": {"auth": "c2VjcmV0"');
  await assert.rejects(
    find("plain.example", { REGISTRY_AUTH_FILE: join(folder, "broken.json") }),
    (error: Error) => {
      assert.ok(!error.message.includes("c2VjcmV0"));
      return (error as Error & { code: string }).code === "WB-INPUT-005";
    },
  );
});
