import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { freePorts, type RunningServer, startServer } from "../../scripts/private-sigstore/server.ts";
import { needTool } from "../../scripts/toolbox/find.ts";
import { openCheckpoint } from "../core/checkpoint.ts";
import { ed25519Verifier, encodeVerifierKey, parseVerifierKey } from "../core/note.ts";
import { serve } from "../net/serve.ts";
import { WitnessState } from "../store/witness-state.ts";
import { auditTiles } from "./audit.ts";
import { makeWitness } from "./witness.ts";

const rekor = needTool("rekor-server");
const ORIGIN = "127.0.0.1";

/** A hashedrekord of a fresh signature, as Rekor v2's API takes it. */
function entry(text: string): string {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const rawBytes = publicKey.export({ type: "spki", format: "der" }).toString("base64");
  return JSON.stringify({
    hashedRekordRequestV002: {
      digest: createHash("sha256").update(text).digest("base64"),
      signature: {
        content: sign("sha256", Buffer.from(text), privateKey).toString("base64"),
        verifier: { publicKey: { rawBytes }, keyDetails: "PKIX_ECDSA_P256_SHA_256" },
      },
    },
  });
}

test("Rekor v2 publishes with our cosignature, and its tiles pass the audit", {
  skip: rekor.skip,
  timeout: 120_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), "waybill-rekor-"));
  const [log, key] = [generateKeyPairSync("ed25519").privateKey, generateKeyPairSync("ed25519").privateKey];
  const state = new WitnessState(join(folder, "witness.db"));
  const witness = makeWitness({
    name: "witness.example/w1",
    privateKey: key,
    log: (origin) => (origin === ORIGIN ? [ed25519Verifier(ORIGIN, log)] : undefined),
    state,
    now: () => Math.floor(Date.now() / 1000),
  });
  const served = await serve(witness.handle);
  const [http, grpc, metrics] = (await freePorts(3)) as [number, number, number];
  const write = (name: string, data: string | Buffer) => {
    writeFileSync(join(folder, name), data);
    return join(folder, name);
  };
  const policy = [
    `log ${encodeVerifierKey(ORIGIN, log, "ed25519")}`,
    `witness w1 ${witness.verifierKey} ${served.url}`,
    "quorum w1\n",
  ].join("\n");
  let server: RunningServer | undefined;
  try {
    server = await startServer(
      [
        ...[rekor.path, "serve", "--http-port", `${http}`, "--grpc-port", `${grpc}`],
        ...["--http-metrics-port", `${metrics}`, "--hostname", ORIGIN, "--storage-dir", join(folder, "log")],
        ...["--signer-filepath", write("rekor.pem", log.export({ type: "pkcs8", format: "pem" }) as string)],
        ...["--checkpoint-interval", "100ms", "--batch-max-age", "50ms"],
        ...["--witness-policy-path", write("policy", policy)],
      ],
      { at: http, log: join(folder, "rekor.log"), cwd: folder },
    );
    const verifier = parseVerifierKey(witness.verifierKey);
    assert.ok(!("problem" in verifier));
    let note = "";
    for (const text of ["one", "two", "three"]) {
      const response = await fetch(`http://127.0.0.1:${http}/api/v2/log/entries`, {
        method: "POST",
        body: entry(text),
        signal: AbortSignal.timeout(30_000),
      });
      const answer = (await response.json()) as { inclusionProof: { checkpoint: { envelope: string } } };
      assert.equal(response.status, 201, JSON.stringify(answer));
      note = answer.inclusionProof.checkpoint.envelope;
    }
    const opened = openCheckpoint(note, {
      origin: ORIGIN,
      log: [ed25519Verifier(ORIGIN, log)],
      witnesses: [verifier],
    });
    assert.ok(!("problem" in opened), JSON.stringify(opened));
    assert.equal(opened.checkpoint.size, 3);
    assert.equal(opened.witnesses.length, 1);
    assert.equal(state.head(ORIGIN).size, 3);
    const read = (path: string) => readFileSync(join(folder, "log", path));
    assert.deepEqual((await auditTiles(read, opened.checkpoint)).problems, []);
  } finally {
    await server?.stop();
    await served.close();
    state.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
