import assert from "node:assert/strict";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { openJournal } from "../../journal/journal.ts";
import { TestMaker, testHome } from "../../journal/test-maker.test.ts";
import type { Io } from "../io.ts";
import { main } from "../main.ts";
import { OUTPUT_SCHEMAS } from "../output-schemas.ts";

async function waybill(home: string, ...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ["", ""];
  const io: Io = {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    env: { WAYBILL_HOME: home },
    cwd: home,
    now: () => new Date("2027-01-01T00:00:00Z"),
    signal: new AbortController().signal,
    width: 100,
    interactive: false,
    paint: (_, text) => text,
  };
  return { code: await main(argv, io), out, err };
}

async function json(
  home: string,
  schema: string,
  code: number,
  ...argv: string[]
): Promise<Record<string, unknown>> {
  const result = await waybill(home, ...argv, "--format", "json");
  assert.equal(result.code, code, result.err);
  const data: unknown = JSON.parse(result.out);
  assert.deepEqual(OUTPUT_SCHEMAS[schema]!.schema.parse(data), data);
  return data as Record<string, unknown>;
}

test("init, show, prove and fsck of a journal, as text and as JSON of their schemas", async (t) => {
  const home = testHome(t);
  const none = await waybill(home, "journal", "show");
  assert.deepEqual([none.code, /error\[WB-STORE-005\]/.test(none.err)], [4, true]);
  const made = await json(home, "journal-init", 0, "journal", "init", "--origin", "log.example.org");
  assert.equal(made.origin, "log.example.org");
  await json(home, "journal-init", 0, "journal", "init");
  const maker = new TestMaker();
  const journal = await openJournal(home);
  const { leaf } = await journal.append(maker.statement("one"));
  await journal.append(maker.statement("two"));
  await journal.close();
  const shown = await json(home, "journal-show", 0, "journal", "show");
  assert.equal((shown.entries as { predicateType: string }[])[1]!.predicateType, "urn:example:test:v1");
  assert.match(
    (await waybill(home, "journal", "show", "--last", "1")).out,
    /\n {5}1 {2}[0-9a-f]{12} {2}urn:example:test:v1 {2}file 2cf24dba5fb0 {2}by /,
  );
  // By index, by leaf hash, by a subject's digest: of several the newest.
  for (const [which, index] of [
    ["0", 0],
    [leaf, 0],
    ["sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", 1],
  ] as const) {
    const proved = await json(home, "journal-prove", 0, "journal", "prove", which);
    assert.equal((proved.entry as { index: number }).index, index);
  }
  assert.match(
    (await waybill(home, "journal", "prove", "0")).out,
    /\nsize {3}2, signed by log\.example\.org\n$/,
  );
  assert.equal((await waybill(home, "journal", "prove", "7")).code, 4);
  assert.equal((await waybill(home, "journal", "prove", "ff".repeat(32))).code, 4);
  assert.equal((await waybill(home, "journal", "prove", "nonsense")).code, 2);
  assert.match(
    (await waybill(home, "fsck")).out,
    /^✔ whole {2}log\.example\.org, 2 entries: 2 envelopes verified\n$/,
  );
  const folder = join(home, "journal/envelopes", readdirSync(join(home, "journal/envelopes"))[0]!);
  rmSync(folder, { recursive: true });
  const broken = await json(home, "journal-fsck", 1, "journal", "fsck");
  assert.deepEqual(
    (broken.findings as { code: string }[]).map(({ code }) => code),
    ["WB-LOG-012"],
  );
  const text = await waybill(home, "fsck");
  assert.equal(text.code, 1);
  assert.match(text.out, /^error\[WB-LOG-012\]: the envelope of entry \d is missing\n {2}--> envelopes\//);
});
