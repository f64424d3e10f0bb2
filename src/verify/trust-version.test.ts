import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeStatement } from "../evidence/statement.ts";
import { makeTrustVersionStatement } from "../evidence/trust-version.ts";
import { makeKeyBundle } from "../sign/bundle.ts";
import { generateKeyPair, keyId, publicKeyPem } from "../sign/keys.ts";
import type { BundleText } from "./signed.ts";
import { parseTrust, type Trust } from "./trust.ts";
import { MAX_VERSIONS, type TrustVersions, trustVersion } from "./trust-version.ts";

const [a, b] = [generateKeyPair(), generateKeyPair()];
type Pair = typeof a;
const now = new Date("2026-11-01T00:00:00Z");

/** Version N of a policy whose roots are both keys unless said otherwise. */
function version(number: number, more: Record<string, unknown> = {}): Trust {
  const principals = Object.entries({ a, b }).map(([name, { publicKey }]) => ({
    name,
    keys: [{ publicKey: publicKeyPem(publicKey) }],
  }));
  const roots = { principals: ["a", "b"], threshold: 2 };
  const head = { waybillTrust: "v1", version: number, expires: "2099-01-01T00:00:00Z" };
  return parseTrust(JSON.stringify({ ...head, principals, rules: [], roots, ...more }));
}

function signed(policy: Trust, pair: Pair, said: { version?: number; previous?: string } = {}): BundleText {
  const { digest } = policy;
  const statement = makeTrustVersionStatement({ digest, version: policy.version, ...said });
  return { file: "x", text: makeKeyBundle(encodeStatement(statement), pair.privateKey) };
}

function code(policy: Trust, versions: Partial<TrustVersions>): string {
  const { results, accepted } = trustVersion(
    policy,
    { signatures: [], history: new Map(), ...versions },
    now,
  );
  const failed = results.filter((result) => result.status === "fail").map((result) => result.code);
  assert.equal(accepted, failed.length === 0);
  assert.ok(failed.length <= 1);
  return failed[0] ?? "accepted";
}

test("only signatures on this very version, after this very one, count", () => {
  const [first, second] = [version(1), version(2)];
  const said = (...signatures: BundleText[]) => code(second, { remembered: first, signatures });
  assert.equal(said(signed(second, a), signed(second, b)), "accepted");
  assert.equal(said(signed(second, a, { previous: first.digest }), signed(second, b)), "accepted");
  for (const other of [
    signed(second, b, { previous: "0".repeat(64) }),
    signed(second, b, { version: 3 }),
    signed(first, b),
    signed(second, a),
    signed(second, generateKeyPair()),
    { file: "x", text: "{}" },
    { ...signed(second, b), problem: "too large" },
  ])
    assert.equal(said(signed(second, a), other), "WB-TRUST-011");
});

test("a root that either version has revoked signs nothing in its name", () => {
  const revoked = [{ key: keyId(b.publicKey), reason: "stolen" }];
  const [first, second] = [version(1, { revoked }), version(2)];
  const signatures = [signed(second, a), signed(second, b)];
  assert.equal(code(second, { remembered: first, signatures }), "WB-TRUST-011");
  const after = version(2, { revoked });
  const own = [signed(after, a), signed(after, b)];
  assert.equal(code(after, { remembered: version(1), signatures: own }), "WB-TRUST-011");
  const alone = version(2, { revoked, roots: { principals: ["a"], threshold: 1 } });
  const both = [signed(alone, a), signed(alone, b)];
  assert.equal(code(alone, { remembered: version(1), signatures: both }), "accepted");
});

test("roots may lay themselves down, and only by their own signatures", () => {
  const without = (number: number) => {
    const { roots: _, ...rest } = version(number).source.data as Record<string, unknown>;
    return parseTrust(JSON.stringify(rest));
  };
  const second = without(2);
  assert.equal(code(second, { remembered: version(1) }), "WB-TRUST-011");
  const signatures = [signed(second, a), signed(second, b)];
  assert.equal(code(second, { remembered: version(1), signatures }), "accepted");
  const { notes } = trustVersion(second, { signatures, history: new Map(), remembered: version(1) }, now);
  assert.match(notes.join(), /names no roots any more/);
  // From then on the operator's hand places it.
  assert.equal(code(without(3), { remembered: second }), "accepted");
  assert.equal(code(without(1), { remembered: second }), "WB-TRUST-009");
});

test("a way of versions is followed whole, and not without end", () => {
  const versions = [1, 2, 3, 4].map((number) => version(number, { rules: [] }));
  const [first, second, third, last] = versions as [Trust, Trust, Trust, Trust];
  const signatures = [second, third, last].flatMap((each) => [signed(each, a), signed(each, b)]);
  const history = new Map([
    [2, second],
    [3, third],
  ]);
  assert.equal(code(last, { remembered: first, signatures, history }), "accepted");
  assert.equal(
    code(last, { remembered: first, signatures, history: new Map([[2, second]]) }),
    "WB-TRUST-011",
  );
  // A file under another number than its own is not that version.
  assert.equal(
    code(last, {
      remembered: first,
      signatures,
      history: new Map([
        [2, second],
        [3, second],
      ]),
    }),
    "WB-TRUST-011",
  );
  const far = version(MAX_VERSIONS + 2);
  assert.equal(
    code(far, { remembered: first, signatures: [signed(far, a), signed(far, b)] }),
    "WB-TRUST-011",
  );
});
