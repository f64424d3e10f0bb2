import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { readCertificate } from "./certificate.ts";
import { verifyChain } from "./certificate-chain.ts";
import { type CertificateOptions, issue } from "./private-sigstore.test.ts";

const now = new Date(Date.UTC(2026, 5, 1));
const authority = (options: CertificateOptions, by?: Parameters<typeof issue>[1]) => ({
  ...issue({ ca: true, usages: null, ...options }, by),
  name: options.subject!,
});
const root = authority({ subject: "root" });
const roots = [new X509Certificate(root.der)];
const middle = authority({ subject: "middle", pathLength: 0 }, root);
const leaf = issue({ subject: "leaf" }, middle);

test("a chain holds, in any order of its helpers, and with the root in it", () => {
  assert.equal(verifyChain([leaf.der, middle.der], roots, now), null);
  assert.equal(verifyChain([leaf.der, root.der, middle.der], roots, now), null);
  assert.equal(verifyChain([issue({ subject: "direct", usages: null }, root).der], roots, now), null);
});

test("what breaks a chain is named", () => {
  const other = authority({ subject: "root" });
  const deep = authority({ subject: "deep" }, middle);
  const notCa = { ...issue({ subject: "no ca", usages: null }, root), name: "no ca" };
  const noSign = authority({ subject: "no sign", keyUsage: 0x80 }, root);
  const ended = authority({ subject: "ended", notAfter: Date.UTC(2020, 0, 1) }, root);
  const tls = authority({ subject: "tls", usages: ["1.3.6.1.5.5.7.3.1"] }, root);
  const cases: [Buffer[], RegExp][] = [
    [[], /no certificate/],
    [Array(11).fill(leaf.der), /more than 10/],
    [[leaf.der], /no trusted certificate/],
    [[issue({ subject: "x" }, other).der], /signature is invalid/],
    [[issue({ subject: "x" }, deep).der, deep.der, middle.der], /longer than its authority allows/],
    [[issue({ subject: "x" }, notCa).der, notCa.der], /not a certificate authority/],
    [[issue({ subject: "x" }, noSign).der, noSign.der], /may not sign/],
    [[issue({ subject: "x" }, ended).der, ended.der], /not valid any more/],
    [[issue({ subject: "x" }, tls).der, tls.der], /for this use/],
    [[issue({ subject: "x", notBefore: Date.UTC(2030, 0, 1) }, middle).der, middle.der], /not valid yet/],
    [[issue({ subject: "x", usages: ["1.3.6.1.5.5.7.3.1"] }, middle).der, middle.der], /does not allow/],
    [[issue({ subject: "x", keyUsage: 0x20 }, middle).der, middle.der], /does not allow signatures/],
    [[Buffer.from("x"), middle.der], /not a certificate/],
  ];
  for (const [chain, reason] of cases) assert.match(verifyChain(chain, roots, now) ?? "accepted", reason);
  assert.match(verifyChain([leaf.der, middle.der], [], now)!, /no trusted/);
});

test("a ring of authorities ends", () => {
  const a = authority({ subject: "a", issuerName: "b" });
  const b = authority({ subject: "b", issuerName: "a" });
  assert.notEqual(verifyChain([issue({ subject: "x" }, a).der, a.der, b.der], roots, now), null);
});

test("no bytes make the reader throw, and a changed certificate never holds", () => {
  fc.assert(
    fc.property(fc.nat(leaf.der.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const bytes = Buffer.from(leaf.der);
      bytes[at]! ^= flip;
      assert.notEqual(verifyChain([bytes, middle.der], roots, now), null);
    }),
    { numRuns: 500 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void readCertificate(Buffer.from(bytes))),
  );
});
