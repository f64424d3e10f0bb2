import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import {
  cosignatureSigner,
  cosignatureVerifier,
  ecdsaVerifier,
  ed25519Signer,
  ed25519Verifier,
  encodeNote,
  encodeSignatureLine,
  encodeVerifierKey,
  MAX_NOTE,
  type NoteVerifier,
  parseNote,
  parseVerifierKey,
  type SignedNote,
  signNote,
  textProblem,
  verifyNote,
} from "./note.ts";

// The key pair and the note of golang.org/x/mod's sumdb/note.
const VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const SEED = Buffer.from("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz", "base64").subarray(1);
const TEXT =
  "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const NOTE = `${TEXT}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n`;
const KEY = createPrivateKey({
  key: Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), SEED]),
  format: "der",
  type: "pkcs8",
});
// By github.com/transparency-dev/formats/note, with the same key.
const GO_LINE =
  "— PeterNeumann GLl4CwAAAABrAkksqcom08WBFKtqHK9k6MNIoQk9LG7agHE/VWED7qSd3Jx31Acv+RU82uNwM1CjazDfokTBElWeqOYds014DMxMAw==\n";
const OTHER = generateKeyPairSync("ed25519").privateKey;

function good<T>(value: T | { problem: string }): T {
  if (typeof value === "object" && value !== null && "problem" in value) assert.fail(String(value.problem));
  return value as T;
}
const refused = (value: unknown, why: RegExp) => assert.match((value as { problem: string }).problem, why);
const open = (note: string, ...verifiers: NoteVerifier[]) => {
  const parsed = parseNote(note);
  return "problem" in parsed ? parsed : verifyNote(parsed, verifiers);
};
const peter = good(parseVerifierKey(VKEY));

test("the note and the keys of Go's sumdb/note, byte for byte", () => {
  assert.deepEqual([peter.name, peter.keyId], ["PeterNeumann", "c74f20a3"]);
  assert.equal(good(open(NOTE, peter)).signatures.length, 1);
  assert.equal(signNote(TEXT, ed25519Signer("PeterNeumann", KEY)), NOTE);
  assert.equal(encodeVerifierKey("PeterNeumann", KEY, "ed25519"), VKEY);
  assert.equal(encodeNote(good(parseNote(NOTE))), NOTE);
});

test("every single flipped bit of a note is found", () => {
  const bytes = Buffer.from(NOTE);
  for (let bit = 0; bit < bytes.length * 8; bit += 1) {
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    refused(open(bytes.toString("utf8"), peter), /./);
    bytes[bit >> 3]! ^= 1 << (bit & 7);
  }
});

test("no part of a verifier key and no key with one other character is one", () => {
  for (let i = 0; i <= VKEY.length; i += 1)
    for (let j = i; j <= VKEY.length; j += 1)
      if (i !== 0 || j !== VKEY.length) refused(parseVerifierKey(VKEY.slice(i, j)), /./);
  for (let i = 0; i < VKEY.length; i += 1) {
    const next = String.fromCharCode(VKEY.charCodeAt(i) + 1);
    refused(parseVerifierKey(VKEY.slice(0, i) + next + VKEY.slice(i + 1)), /./);
  }
  refused(parseVerifierKey("n+c0d23d6a+AjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABA=="), /type/);
  refused(parseVerifierKey(`two words+${VKEY.split("+").slice(1).join("+")}`), /name/);
});

test("malformed notes are refused", () => {
  const line = NOTE.slice(TEXT.length + 1);
  const cases: [string, RegExp][] = [
    ["", /empty line/],
    [TEXT, /empty line/],
    [`${TEXT}\n`, /no signatures/],
    [NOTE.slice(0, -1), /newline/],
    [`${TEXT}${line}`, /empty line/],
    [`${NOTE}\n`, /no signatures/],
    [`${NOTE}${line.trimEnd()}`, /newline/],
    [NOTE.replace("—", "-"), /line 1/],
    [NOTE.replace("— ", "—"), /line 1/],
    [NOTE.replace("PeterNeumann", "Peter Neumann"), /line 1/],
    [NOTE.replace("PeterNeumann", "Peter+Neumann"), /line 1/],
    [NOTE.replace("PeterNeumann", "Peter\u00a0Neumann"), /line 1/],
    [NOTE.replace("PeterNeumann", ""), /line 1/],
    [NOTE.replace("nAM=", "nAM"), /line 1/],
    [NOTE.replace("nAM=", "nAN="), /line 1/],
    [NOTE.replace("x08go/", "x08go_"), /line 1/],
    [`${TEXT}\n— PeterNeumann x08gow==\n`, /line 1/],
    [NOTE.replace("If", "If\t"), /control/],
    [NOTE.replace("If", "If\r"), /control/],
    [NOTE.replace("If", "\ud800"), /well-formed/],
    [TEXT + NOTE.slice(TEXT.length).repeat(1) + line.repeat(100), /more than 100/],
    [`${"é".repeat(MAX_NOTE / 2)}\n${NOTE}`, /longer/],
  ];
  for (const [note, why] of cases) refused(parseNote(note), why);
  assert.equal("problem" in parseNote(`a\n\nb\n\nc\n\n${line}`), false, "the text may hold empty lines");
  assert.equal("problem" in parseNote(TEXT + NOTE.slice(TEXT.length) + line.repeat(99)), false);
});

test("unknown keys are ignored, one invalid signature of a known key refuses all", () => {
  const [a, b] = [ed25519Signer("a", KEY), ed25519Signer("b", OTHER)];
  const [va, vb] = [ed25519Verifier("a", KEY), ed25519Verifier("b", OTHER)];
  const both = signNote(TEXT, a, b);
  assert.deepEqual(
    good(open(both, va, vb)).signatures.map(({ verifier }) => verifier),
    [va, vb],
  );
  assert.deepEqual(good(open(both, vb)).signatures, [{ verifier: vb }]);
  refused(open(both), /no trusted key/);
  refused(open(both, ed25519Verifier("c", KEY)), /no trusted key/);
  const wrong = encodeSignatureLine({ name: "b", keyId: b.keyId, signature: Buffer.alloc(64, 1) });
  refused(open(signNote(TEXT, a) + wrong, va, vb), /signature by b .* invalid/);
  assert.equal(good(open(signNote(TEXT, a) + wrong, va)).signatures.length, 1);
});

test("nobody is counted twice", () => {
  const a = ed25519Signer("a", KEY);
  refused(open(signNote(TEXT, a, a), ed25519Verifier("a", KEY)), /signed twice/);
  refused(open(signNote(TEXT, a), ed25519Verifier("a", KEY), ed25519Verifier("a", KEY)), /two trusted keys/);
});

test("a cosignature carries its time, and the time is signed", () => {
  const signer = cosignatureSigner("witness.example/w1", KEY, () => 1_679_315_147);
  const verifier = good(parseVerifierKey(encodeVerifierKey("witness.example/w1", KEY, "cosignature")));
  const note = signNote(TEXT, signer);
  assert.deepEqual(good(open(note, verifier)).signatures, [{ verifier, time: 1_679_315_147 }]);
  const parsed = good(parseNote(note));
  for (let at = 0; at < 72; at += 1) {
    const signature = Buffer.from(parsed.signatures[0]!.signature);
    signature[at]! ^= 1;
    const changed: SignedNote = { ...parsed, signatures: [{ ...parsed.signatures[0]!, signature }] };
    refused(verifyNote(changed, [verifier]), /invalid/);
  }
  assert.equal(typeof verifier.verify(TEXT, new Uint8Array(0)), "string");
  assert.equal(typeof verifier.verify(TEXT, Buffer.alloc(72, 0xff)), "string");
  // One key under one name is two keys, by type: neither kind of signature stands for the other.
  assert.notEqual(verifier.keyId, ed25519Verifier("witness.example/w1", KEY).keyId);
});

test("a cosignature that Go made", () => {
  const text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
  const note = `${text}\n${GO_LINE}`;
  const verifier = cosignatureVerifier("PeterNeumann", KEY);
  const { time } = good(open(note, verifier)).signatures[0]!;
  assert.equal(
    signNote(
      text,
      cosignatureSigner("PeterNeumann", KEY, () => time!),
    ),
    note,
  );
});

test("ECDSA as Rekor v1 signs: the id is of the key alone", () => {
  const rekor = createPublicKey({
    key: Buffer.from(
      "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE2G2Y+2tabdTV5BcGiBIx0a9fAFwrkBbmLSGtks4L3qX6yYY0zufBnhC8Ur/iy55GhWP/9A/bY2LhC30M9+RYtw==",
      "base64",
    ),
    format: "der",
    type: "spki",
  });
  assert.equal(ecdsaVerifier("rekor.sigstore.dev", rekor).keyId, "c0d23d6a");
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const verifier = ecdsaVerifier("rekor.example", publicKey);
  const note = signNote(TEXT, { ...verifier, sign: (text) => sign("sha256", Buffer.from(text), privateKey) });
  assert.equal(good(open(note, verifier)).signatures.length, 1);
  refused(open(note.replace("you", "You"), verifier), /invalid/);
  assert.throws(() => ecdsaVerifier("n", KEY), RangeError);
  assert.throws(() => ed25519Verifier("n", publicKey), RangeError);
});

test("what is signed can be read again; any text at all is read or refused", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "grapheme", maxLength: 200 }),
      fc.stringMatching(/^[a-z./-]{1,20}$/),
      (body, name) => {
        const text = `${body}\n`;
        if (textProblem(text) !== null) return;
        const note = signNote(text, ed25519Signer(name, KEY));
        const parsed = good(parseNote(note));
        assert.equal(parsed.text, text);
        assert.equal(encodeNote(parsed), note);
        assert.equal(good(verifyNote(parsed, [ed25519Verifier(name, KEY)])).signatures.length, 1);
      },
    ),
  );
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const parsed = parseNote(text);
      if (!("problem" in parsed)) assert.equal(encodeNote(parsed), text);
      parseVerifierKey(text);
    }),
  );
});

test("texts and names that no note can hold are not signed", () => {
  const a = ed25519Signer("a", KEY);
  for (const text of ["", "a", "a\r\n", "\ud800\n"]) assert.throws(() => signNote(text, a), RangeError);
  assert.throws(() => signNote(TEXT), RangeError);
  for (const name of ["", "a b", "a+b", "a\u2003b", "a\n"]) {
    assert.throws(() => ed25519Signer(name, KEY), RangeError);
    assert.throws(() => cosignatureSigner(name, KEY, () => 0), RangeError);
  }
  for (const time of [-1, 0.5, Number.NaN])
    assert.throws(() => cosignatureSigner("a", KEY, () => time).sign(TEXT), RangeError);
});
