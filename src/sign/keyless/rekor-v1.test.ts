import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";
import { PrivateSigstore, skipPrivateSigstore } from "../../../scripts/private-sigstore/fixture.ts";
import { canonicalJson, type Json } from "../../core/canonical-json.ts";
import { HttpClient } from "../../net/http.ts";
import { parseBundle } from "../bundle.ts";
import type { Envelope } from "../dsse.ts";
import { parseTrustedRoot } from "../trusted-root.ts";
import { verifyBundle } from "../verify-bundle.ts";
import { parseIdentityToken } from "./identity-token.ts";
import { keylessSigner } from "./signer.ts";

// Rekor v1 cannot be had without two databases: this log of one entry answers as its openapi.yaml says.

const sha256 = (data: string | Buffer) => createHash("sha256").update(data).digest();
const log = generateKeyPairSync("ec", { namedCurve: "P-256" });
const spki = log.publicKey.export({ type: "spki", format: "der" });
const logId = sha256(spki);

/** The answer to a proposed `dsse` entry. */
function logged(proposed: {
  kind: string;
  spec: { proposedContent: { envelope: string; verifiers: string[] } };
}) {
  assert.equal(proposed.kind, "dsse");
  const { envelope: text, verifiers } = proposed.spec.proposedContent;
  const envelope = JSON.parse(text) as Envelope;
  const hash = (data: string | Buffer) => ({ algorithm: "sha256", value: sha256(data).toString("hex") });
  const entry = {
    apiVersion: "0.0.1",
    kind: "dsse",
    spec: {
      envelopeHash: hash(text),
      payloadHash: hash(Buffer.from(envelope.payload, "base64")),
      signatures: [{ signature: envelope.signatures[0]!.sig, verifier: verifiers[0]! }],
    },
  };
  const bytes = Buffer.from(canonicalJson(entry));
  const root = sha256(Buffer.concat([Buffer.from([0]), bytes]));
  const signature = (data: string) => sign("sha256", Buffer.from(data), log.privateKey);
  const note = `log.example.com - 1\n1\n${root.toString("base64")}\n`;
  const line = Buffer.concat([logId.subarray(0, 4), signature(note)]).toString("base64");
  const promised = {
    body: bytes.toString("base64"),
    integratedTime: Math.floor(Date.now() / 1000),
    logID: logId.toString("hex"),
    logIndex: 7,
  };
  return {
    [`${"00".repeat(40)}`]: {
      ...promised,
      verification: {
        signedEntryTimestamp: signature(canonicalJson(promised)).toString("base64"),
        inclusionProof: {
          logIndex: 0,
          treeSize: 1,
          hashes: [],
          rootHash: root.toString("hex"),
          checkpoint: `${note}\n— log.example.com ${line}\n`,
        },
      },
    },
  };
}

const server = createServer(async (request, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const good = request.method === "POST" && request.url === "/api/v1/log/entries";
  response.writeHead(good ? 201 : 404, { "content-type": "application/json" });
  response.end(good ? JSON.stringify(logged(JSON.parse(Buffer.concat(chunks).toString("utf8")))) : "{}");
});
after(() => server.close());

test("a Rekor v1 log alone gives entry and time; the bundle verifies", {
  skip: skipPrivateSigstore,
}, async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const sigstore = await PrivateSigstore.start();
  try {
    const since = { start: "2025-01-01T00:00:00Z" };
    const root = parseTrustedRoot({
      ...(sigstore.trustedRoot() as { [key: string]: Json }),
      timestampAuthorities: [],
      tlogs: [
        {
          baseUrl: "https://log.example.com",
          hashAlgorithm: "SHA2_256",
          publicKey: {
            rawBytes: spki.toString("base64"),
            keyDetails: "PKIX_ECDSA_P256_SHA_256",
            validFor: since,
          },
          logId: { keyId: logId.toString("base64") },
        },
      ],
    });
    assert.ok(!("problem" in root), JSON.stringify(root));
    const named = { name: "v1", root };
    const identity = parseIdentityToken(sigstore.githubToken(), Date.now());
    assert.ok(!("problem" in identity));
    const signer = keylessSigner({
      identity,
      services: { fulcio: new URL(sigstore.fulcioUrl), rekor: [{ url, version: 1 }], timestamps: [] },
      root: named,
      http: new HttpClient({ attempts: 1 }),
      now: Date.now,
    });
    const digest = { sha256: "00".repeat(32) };
    const statement = {
      _type: "https://in-toto.io/Statement/v1",
      subject: [{ name: "x", digest }],
      predicateType: "https://example.com/p",
      predicate: {},
    };
    const parsed = parseBundle((await signer.sign(canonicalJson(statement))).bundle);
    assert.ok(!("problem" in parsed));
    const established = verifyBundle(parsed, { roots: [named], findKey: () => undefined, requireLog: true });
    assert.ok(!("problem" in established), JSON.stringify(established));
    assert.equal(established.times[0]!.by, "rekor-set");
  } finally {
    await sigstore.stop();
  }
});
