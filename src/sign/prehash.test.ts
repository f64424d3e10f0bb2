import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { verifyPrehashed } from "./prehash.ts";

const CURVES = [
  ["P-256", "sha256"],
  ["P-384", "sha384"],
  ["P-521", "sha512"],
] as const;

for (const [namedCurve, algorithm] of CURVES) {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve });
  const other = generateKeyPairSync("ec", { namedCurve }).publicKey;

  test(`${namedCurve}: what node:crypto signs is valid by its digest, and nothing else is`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.nat(), async (data, at) => {
        const digest = createHash(algorithm).update(data).digest();
        const signature = sign(algorithm, data, privateKey);
        assert.equal(await verifyPrehashed(digest, signature, publicKey), null);
        assert.notEqual(await verifyPrehashed(digest, signature, other), null);
        const flipped = Buffer.from(digest);
        flipped[at % flipped.length]! ^= 1 << (at % 8);
        assert.notEqual(await verifyPrehashed(flipped, signature, publicKey), null);
        const broken = Buffer.from(signature);
        broken[at % broken.length]! ^= 1 << (at % 8);
        assert.notEqual(await verifyPrehashed(digest, broken, publicKey), null);
      }),
      { numRuns: 15 },
    );
  });
}

test("a digest of another length and bytes that are no signature are refused with a reason", async () => {
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  assert.match((await verifyPrehashed(Buffer.alloc(48), Buffer.alloc(8), publicKey))!, /does not go with/);
  assert.match((await verifyPrehashed(Buffer.alloc(32), Buffer.alloc(8), publicKey))!, /not by this key/);
  assert.match((await verifyPrehashed(Buffer.alloc(32), Buffer.alloc(999), publicKey))!, /not by this key/);
});
