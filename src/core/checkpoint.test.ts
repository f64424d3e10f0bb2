import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { encodeCheckpoint, openCheckpoint, parseCheckpoint } from "./checkpoint.ts";
import {
  cosignatureSigner,
  cosignatureVerifier,
  ed25519Signer,
  ed25519Verifier,
  signNote,
  textProblem,
} from "./note.ts";

const TEXT = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
const refused = (value: unknown, why: RegExp) => assert.match((value as { problem: string }).problem, why);

test("the specification's example", () => {
  const parsed = parseCheckpoint(TEXT);
  assert.ok(!("problem" in parsed));
  assert.equal(parsed.origin, "example.com/behind-the-sofa");
  assert.equal(parsed.size, 20_852_163);
  assert.equal(Buffer.from(parsed.root).toString("base64"), "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=");
  assert.deepEqual(parsed.extensions, []);
  assert.equal(encodeCheckpoint(parsed), TEXT);
});

test("malformed checkpoints are refused", () => {
  const cases: [string, RegExp][] = [
    ["", /three lines/],
    [TEXT.slice(0, -1), /newline/],
    [TEXT.split("\n").slice(0, 2).join("\n").concat("\n"), /three lines/],
    [TEXT.replace("example.com/behind-the-sofa", ""), /empty/],
    [`${TEXT}\n`, /empty/],
    [`${TEXT}\nx\n`, /empty/],
    [TEXT.replace("\n", "\r\n"), /control/],
    ...[
      "020852163",
      "-1",
      "+1",
      "1.0",
      "1e3",
      "0x1",
      " 1",
      "1 ",
      "٣",
      "9007199254740992",
      "9".repeat(30),
    ].map((size): [string, RegExp] => [TEXT.replace("20852163", size), /size/]),
    ...[
      "CsUY",
      "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=",
      "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I",
    ].map((root): [string, RegExp] => [
      TEXT.replace("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=", root),
      /the root/,
    ]),
  ];
  for (const [text, why] of cases) refused(parseCheckpoint(text), why);
  const parsed = parseCheckpoint(TEXT.replace("20852163", "9007199254740991"));
  assert.ok(!("problem" in parsed));
});

test("what is encoded is read again, and every text that is read is the only one", () => {
  const line = fc
    .string({ unit: "grapheme", minLength: 1, maxLength: 40 })
    .filter((s) => textProblem(s) === null && !s.includes("\n"));
  fc.assert(
    fc.property(
      line,
      fc.maxSafeNat(),
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      fc.array(line, { maxLength: 3 }),
      (origin, size, root, extensions) => {
        const text = encodeCheckpoint({ origin, size, root, extensions });
        const parsed = parseCheckpoint(text);
        assert.ok(!("problem" in parsed));
        assert.deepEqual(
          { ...parsed, root: Uint8Array.from(parsed.root) },
          { origin, size, root, extensions },
        );
        assert.equal(encodeCheckpoint(parsed), text);
      },
    ),
  );
  const root = new Uint8Array(32);
  for (const bad of [
    { origin: "", size: 1, root },
    { origin: "a\nb", size: 1, root },
    { origin: "a", size: -1, root },
    { origin: "a", size: 0.5, root },
    { origin: "a", size: 2 ** 53, root },
    { origin: "a", size: 1, root: root.subarray(1) },
    { origin: "a", size: 1, root, extensions: [""] },
    { origin: "a", size: 1, root, extensions: ["b\nc"] },
  ])
    assert.throws(() => encodeCheckpoint(bad), RangeError);
});

test("a checkpoint counts only under its own origin and its log's signature, whoever else cosigned", () => {
  const log = generateKeyPairSync("ed25519").privateKey;
  const witness = generateKeyPairSync("ed25519").privateKey;
  const origin = "example.com/behind-the-sofa";
  const [byLog, byWitness] = [ed25519Signer(origin, log), cosignatureSigner("w.example", witness, () => 7)];
  const trusted = {
    origin,
    log: [ed25519Verifier(origin, log)],
    witnesses: [cosignatureVerifier("w.example", witness)],
  };
  const opened = openCheckpoint(signNote(TEXT, byLog, byWitness), trusted);
  assert.ok(!("problem" in opened));
  assert.equal(opened.checkpoint.size, 20_852_163);
  assert.deepEqual(opened.log, [{ verifier: trusted.log[0] }]);
  assert.deepEqual(opened.witnesses, [{ verifier: trusted.witnesses[0], time: 7 }]);
  refused(openCheckpoint(signNote(TEXT, byWitness), trusted), /no trusted key of the log/);
  refused(openCheckpoint(signNote(TEXT, byLog), { ...trusted, origin: "example.com/other" }), /another log/);
  refused(openCheckpoint(signNote("a\nb\nc\n", byLog), trusted), /size/);
  refused(openCheckpoint(TEXT, trusted), /empty line/);
});
