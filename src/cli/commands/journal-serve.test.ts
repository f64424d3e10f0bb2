import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  freshFolder,
  Maker,
  post,
  startWaybill,
  trustOf,
  waybill,
} from "../../flows/journal-serve-scene.test.ts";
import { openJournal } from "../../journal/journal.ts";
import { TestMaker } from "../../journal/test-maker.test.ts";
import { OUTPUT_SCHEMAS } from "../output-schemas.ts";

function ofSchema(name: string, text: string): Record<string, unknown> {
  const data: unknown = JSON.parse(text);
  assert.deepEqual(OUTPUT_SCHEMAS[name]!.schema.parse(data), data);
  return data as Record<string, unknown>;
}

test("a witness, a journal that it cosigns, and what each says when the other is away", async (t) => {
  const home = freshFolder(t);
  const journal = await openJournal(home, { create: {} });
  await journal.append(new TestMaker().statement("one"));
  await journal.close();
  const { verifierKey } = JSON.parse(waybill(home, "journal", "show", "--format", "json").stdout) as {
    verifierKey: string;
  };
  const words = ["witness", "--log", verifierKey, "--name", "witness.example", "--port", "0"];
  const witness = await startWaybill(t, join(home, "other"), words);
  const key = /verifier key {2}(\S+)/.exec(witness.out())![1]!;
  assert.match(key, /^witness\.example\+/);
  const option = `${witness.url}=${key}`;
  const text = waybill(home, "journal", "cosign", "--save", "--witness", option);
  assert.deepEqual(
    [text.status, /^witness\.example cosigned 1 entries at 20/.test(text.stdout)],
    [0, true],
    text.out,
  );
  const cosigned = waybill(home, "journal", "cosign", "--format", "json");
  assert.equal(cosigned.status, 0, cosigned.out);
  const answer = ofSchema("journal-cosign", cosigned.stdout);
  assert.match(String(answer.checkpoint), /— witness\.example /);
  // fsck knows the saved witness: it verifies the line and has nothing to note.
  const fsck = waybill(home, "fsck");
  assert.deepEqual([fsck.status, fsck.stdout.includes("note")], [0, false], fsck.out);
  const path = join(home, "journal/checkpoint");
  const whole = readFileSync(path, "utf8");
  const at = whole.length - 20;
  writeFileSync(path, `${whole.slice(0, at)}${whole[at] === "A" ? "B" : "A"}${whole.slice(at + 1)}`);
  assert.equal(waybill(home, "fsck").status, 1);
  writeFileSync(path, whole);
  witness.child.kill("SIGINT");
  assert.equal(await witness.ended, 0, witness.out());
  const away = waybill(home, "journal", "cosign", "--format", "json");
  assert.equal(away.status, 1, away.out);
  const [result] = ofSchema("journal-cosign", away.stdout).witnesses as {
    cosigned: boolean;
    problem: string;
  }[];
  assert.equal(result!.cosigned, false);
});

test("a served journal lets an entry in, and upload puts an envelope beside it; an erased one does not come back", async (t) => {
  const home = freshFolder(t);
  const maker = new Maker();
  const trust = join(home, "trust.yaml");
  writeFileSync(trust, trustOf({ ci: [{ publicKey: maker.pem }] }));
  const serving = await startWaybill(t, home, ["journal", "serve", "--trust", trust, "--port", "0"]);
  const statement = JSON.stringify({
    _type: "https://in-toto.io/Statement/v1",
    subject: [{ name: "file", digest: { sha256: "ab".repeat(32) } }],
    predicateType: "urn:example:test:v1",
    predicate: {},
  });
  const request = maker.entry(statement);
  const { status, answer } = await post(serving.url, request);
  assert.equal(status, 201);
  serving.child.kill("SIGTERM");
  assert.equal(await serving.ended, 0);
  const bundle = (payload: string, entries: unknown[]) => {
    const file = join(home, "bundle.json");
    const { content } = request.hashedRekordRequestV002.signature;
    const data = {
      mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
      verificationMaterial: { publicKey: { hint: "any" }, tlogEntries: entries },
      dsseEnvelope: {
        payload: Buffer.from(payload).toString("base64"),
        payloadType: "application/vnd.in-toto+json",
        signatures: [{ sig: content }],
      },
    };
    writeFileSync(file, JSON.stringify(data));
    return file;
  };
  assert.match(waybill(home, "fsck").stdout, /entry 0 came from outside/);
  const none = waybill(home, "journal", "upload", bundle(statement, []));
  assert.deepEqual([none.status, /WB-INPUT-001/.test(none.out)], [4, true], none.out);
  const other = waybill(home, "journal", "upload", bundle(`${statement} `, [answer]));
  assert.deepEqual([other.status, /WB-INPUT-006/.test(other.out)], [4, true], other.out);
  const good = bundle(statement, [answer]);
  const uploaded = waybill(home, "journal", "upload", good, "--format", "json");
  assert.equal(uploaded.status, 0, uploaded.out);
  const [{ index, leaf } = { index: -1, leaf: "" }] = ofSchema(
    "journal-upload",
    uploaded.stdout,
  ) as unknown as {
    index: number;
    leaf: string;
  }[];
  assert.equal(index, 0);
  const envelope = join(home, "journal/envelopes", leaf.slice(0, 2), `${leaf}.json`);
  assert.ok(existsSync(envelope));
  const whole = waybill(home, "fsck");
  assert.deepEqual([whole.status, /outside/.test(whole.out)], [0, false], whole.out);
  assert.match(waybill(home, "journal", "show").stdout, / 0 {2}[0-9a-f]{12} {2}urn:example:test:v1 /);

  const { makeErasureStatement } = await import("../../journal/own-statements.ts");
  const { signEnvelope } = await import("../../sign/dsse.ts");
  const journal = await openJournal(home);
  const digest = Buffer.from(request.hashedRekordRequestV002.digest, "base64").toString("hex");
  const erasure = makeErasureStatement(
    { index, leaf, algorithm: "sha256", digest },
    { reason: "it named a person", at: "2027-01-01T00:00:00Z" },
  );
  const signed = signEnvelope("application/vnd.in-toto+json", Buffer.from(erasure), maker.privateKey);
  await journal.erase(index, { envelope: signed, publicKey: maker.publicKey });
  await journal.close();
  const back = waybill(home, "journal", "upload", good);
  assert.deepEqual([back.status, /was erased/.test(back.out)], [4, true], back.out);
  assert.ok(!existsSync(envelope));
  const after = waybill(home, "fsck");
  assert.deepEqual([after.status, /entry 0 was erased/.test(after.out)], [0, true], after.out);
});
