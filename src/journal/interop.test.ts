import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { needTool } from "../../scripts/toolbox/find.ts";
import type { Json } from "../core/canonical-json.ts";
import { encodeVerifierKey } from "../core/note.ts";
import { readFileBounded } from "../hash/read-file.ts";
import { cosignHint, keyId, publicKeyPem } from "../sign/keys.ts";
import { openJournal } from "./journal.ts";
import { TestMaker, testHome, testStatement } from "./test-maker.test.ts";

/** A bundle that is in a journal of 300 entries, and what cosign needs beside it. */
async function loggedBundle(
  t: TestContext,
): Promise<{ home: string; args: string[]; write(change?: (entry: Json) => Json): void }> {
  const home = testHome(t);
  const maker = new TestMaker();
  const journal = await openJournal(home, { create: {} });
  await Promise.all(Array.from({ length: 299 }, (_, i) => journal.append(maker.statement(i))));
  const signed = maker.sign(testStatement("the one"));
  const { tlogEntry } = await journal.append(signed);
  await journal.close();
  writeFileSync(join(home, "key.pub"), publicKeyPem(maker.publicKey));
  writeFileSync(join(home, "file"), "hello");
  const root = join(journal.folder, "trusted_root.json");
  const args = [
    "verify-blob-attestation",
    "--key",
    join(home, "key.pub"),
    "--bundle",
    join(home, "bundle.json"),
  ];
  args.push(
    "--new-bundle-format",
    "--type",
    "urn:example:test:v1",
    "--trusted-root",
    root,
    join(home, "file"),
  );
  const write = (change = (entry: Json) => entry): void => {
    const bundle = {
      mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
      verificationMaterial: {
        publicKey: { hint: cosignHint(keyId(maker.publicKey)) },
        tlogEntries: [change(tlogEntry)],
      },
      dsseEnvelope: signed.envelope,
    };
    writeFileSync(join(home, "bundle.json"), JSON.stringify(bundle));
  };
  return { home, args, write };
}

for (const name of ["cosign2", "cosign3"] as const) {
  const cosign = needTool(name);
  test(`${name} verifies a bundle with our log entry, log checking on, and refuses a changed proof`, {
    skip: cosign.skip,
  }, async (t) => {
    const { args, write, home } = await loggedBundle(t);
    const run = () => spawnSync(cosign.path, args, { encoding: "utf8", env: { ...process.env, HOME: home } });
    write();
    const good = run();
    assert.equal(good.status, 0, good.stderr);
    assert.match(good.stderr, /Verified OK/);
    write((entry) => {
      const changed = structuredClone(entry) as { inclusionProof: { hashes: string[] } };
      changed.inclusionProof.hashes[0] = Buffer.alloc(32, 7).toString("base64");
      return changed as unknown as Json;
    });
    const bad = run();
    assert.notEqual(bad.status, 0);
    assert.match(bad.stderr, /log/);
  });
}

const fsck = needTool("tlog-fsck");

test("the auditor of Tessera accepts our log", {
  skip: fsck.skip,
}, async (t) => {
  const home = testHome(t);
  const maker = new TestMaker();
  const journal = await openJournal(home, { create: {} });
  await Promise.all(Array.from({ length: 520 }, (_, i) => journal.append(maker.statement(i))));
  await journal.close();
  const verifier = join(home, "log.vkey");
  writeFileSync(verifier, encodeVerifierKey(journal.origin, journal.reader.key.publicKey, "ed25519"));
  const server = createServer((request, response) => {
    try {
      const path = decodeURIComponent(request.url ?? "/").replace(/^\/+/, "");
      response.end(readFileBounded(join(journal.folder, path), 1 << 25));
    } catch {
      response.statusCode = 404;
      response.end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const run = async (): Promise<{ status: number | null; err: string }> => {
    const child = spawn(fsck.path, ["--storage_url", url, "--public_key", verifier, "--ui=false"], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    let err = "";
    child.stderr.on("data", (data: Buffer) => {
      err += data.toString();
    });
    const timer = setTimeout(() => child.kill("SIGKILL"), 60_000);
    const status = await new Promise<number | null>((resolve) => child.on("close", resolve));
    clearTimeout(timer);
    return { status, err };
  };
  const { status, err } = await run();
  assert.equal(status, 0, err);
  assert.match(err, /Successfully fsck'd log with size 520/);
});
