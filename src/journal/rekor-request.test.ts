import assert from "node:assert/strict";
import { generateKeyPairSync, hash, sign } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { verifyPrehashed } from "../sign/prehash.ts";
import { parseEntry } from "./entry.ts";
import { parseCreateEntry } from "./rekor-request.ts";

const CURVES = [
  ["P-256", "sha256", "PKIX_ECDSA_P256_SHA_256"],
  ["P-384", "sha384", "PKIX_ECDSA_P384_SHA_384"],
  ["P-521", "sha512", "PKIX_ECDSA_P521_SHA_512"],
] as const;

function request([namedCurve, algorithm, keyDetails]: (typeof CURVES)[number]) {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve });
  const data = Buffer.from("what is signed");
  return {
    hashedRekordRequestV002: {
      digest: hash(algorithm, data, "base64"),
      signature: {
        content: sign(algorithm, data, privateKey).toString("base64"),
        verifier: {
          publicKey: { rawBytes: publicKey.export({ type: "spki", format: "der" }).toString("base64") },
          keyDetails: keyDetails as string,
        },
      },
    },
  };
}

test("a request of each curve becomes the canonical entry, whose signature verifies", async () => {
  for (const curve of CURVES) {
    const read = parseCreateEntry(JSON.stringify(request(curve)));
    assert.ok(!("problem" in read), JSON.stringify(read));
    assert.deepEqual(parseEntry(read.body), read.entry);
    const { digest, signature, publicKey } = read.entry;
    assert.equal(await verifyPrehashed(digest, signature, publicKey), null);
    const other = Buffer.from(digest);
    other[0]! ^= 1;
    assert.notEqual(await verifyPrehashed(other, signature, publicKey), null);
  }
});

test("a request that says something else than its key, or is of another kind, is refused", () => {
  const good = request(CURVES[0]);
  const { hashedRekordRequestV002: hashed } = good;
  const changed = (change: (copy: typeof good) => void): string => {
    const copy = structuredClone(good);
    change(copy);
    return JSON.stringify(copy);
  };
  const ed25519 = generateKeyPairSync("ed25519").publicKey.export({ type: "spki", format: "der" });
  const bad: Record<string, string> = {
    "other details": changed((c) => {
      c.hashedRekordRequestV002.signature.verifier.keyDetails = "PKIX_ECDSA_P384_SHA_384";
    }),
    "a digest of another length": changed((c) => {
      c.hashedRekordRequestV002.digest = Buffer.alloc(48).toString("base64");
    }),
    "url-safe base64": changed((c) => {
      c.hashedRekordRequestV002.digest = Buffer.alloc(32, 0xfb).toString("base64url");
    }),
    Ed25519: changed((c) => {
      c.hashedRekordRequestV002.signature.verifier.publicKey.rawBytes = ed25519.toString("base64");
    }),
    "no certificate": JSON.stringify({
      hashedRekordRequestV002: {
        ...hashed,
        signature: {
          ...hashed.signature,
          verifier: { x509Certificate: { rawBytes: "AAAA" }, keyDetails: "PKIX_ECDSA_P256_SHA_256" },
        },
      },
    }),
    dsse: JSON.stringify({ dsseRequestV002: {} }),
    both: JSON.stringify({ ...good, dsseRequestV002: {} }),
    "too deep": `${"[".repeat(100)}${"]".repeat(100)}`,
    "too large": `${JSON.stringify(good)}${" ".repeat(1 << 17)}`,
  };
  for (const [what, text] of Object.entries(bad)) assert.ok("problem" in parseCreateEntry(text), what);
});

test("no text makes it throw, and what it accepts is an entry that is read", () => {
  const good = JSON.stringify(request(CURVES[0]));
  const damaged = fc
    .tuple(fc.nat(good.length - 1), fc.string({ unit: "binary", maxLength: 6 }), fc.nat(8))
    .map(([at, put, cut]) => good.slice(0, at) + put + good.slice(at + cut));
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.json(), damaged), (text) => {
      const read = parseCreateEntry(text);
      if (!("problem" in read)) assert.ok(!("problem" in parseEntry(read.body)));
    }),
    { numRuns: 400 },
  );
});
