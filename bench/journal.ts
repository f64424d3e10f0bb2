import {
  closeSync,
  fsyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openJournal } from "../src/journal/journal.ts";
import { type Envelope, IN_TOTO_PAYLOAD, signEnvelope } from "../src/sign/dsse.ts";
import { generateKeyPair } from "../src/sign/keys.ts";
import { type Row, spread } from "./measure.ts";

/** Appends at a time, and how many are made in one round. */
const CASES = [
  { together: 1, count: 100 },
  { together: 64, count: 1024 },
  { together: 1024, count: 4096 },
] as const;

const ROUNDS = 3;

export const journal = {
  name: "journal",
  description: "durable appends to the journal against bare fsyncs of the same bytes",
  run,
};

/**
 * Interleaved rounds in one process, the first dropped: so many appends to a journal, each with its proof, then the same
 * envelopes written bare, durable one by one: behind each other into one file, and each into a file of its own.
 */
async function run(signal: AbortSignal): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), "waybill-bench-"));
  const keys = generateKeyPair();
  try {
    const rows: Row[] = [];
    for (const { together, count } of CASES) {
      const times: Record<"ours" | "log" | "files", number[]> = { ours: [], log: [], files: [] };
      const log = await openJournal(join(folder, `home-${together}`), { create: {} });
      for (let round = 0; round <= ROUNDS; round += 1) {
        signal.throwIfAborted();
        const envelopes = Array.from({ length: count }, (_, i) =>
          envelope(`${together}-${round}-${i}`, keys.privateKey),
        );
        const ours = await seconds(async () => {
          const rest = envelopes.values();
          const one = async (): Promise<void> => {
            for (const each of rest) await log.append({ envelope: each, publicKey: keys.publicKey });
          };
          await Promise.all(Array.from({ length: together }, one));
        });
        const texts = envelopes.map((each) => JSON.stringify(each));
        const oneFile = await seconds(() => appendAll(join(folder, `log-${together}-${round}`), texts));
        const manyFiles = await seconds(() => writeAll(join(folder, `files-${together}-${round}`), texts));
        if (round === 0) continue;
        times.ours.push(ours);
        times.log.push(oneFile);
        times.files.push(manyFiles);
      }
      await log.close();
      const each = (values: readonly number[]) =>
        `${Math.round(count / spread(values).median).toLocaleString("en")}/s`;
      for (const [name, theirs] of [
        ["write + fsync", times.log],
        ["a file, fsync, rename", times.files],
      ] as const)
        rows.push({
          case: `${count} appends, ${together} at a time`,
          ours: `append: ${each(times.ours)}`,
          theirs: `${name}: ${each(theirs)}`,
          ratio: spread(times.ours.map((mine, i) => theirs[i]! / mine)),
          oursSeconds: spread(times.ours),
          theirsSeconds: spread(theirs),
        });
    }
    return rows;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function envelope(id: string, privateKey: Parameters<typeof signEnvelope>[2]): Envelope {
  const subject = [{ name: id, digest: { sha256: "0".repeat(64) } }];
  const statement = {
    _type: "https://in-toto.io/Statement/v1",
    subject,
    predicateType: "urn:example:bench:v1",
    predicate: {},
  };
  return signEnvelope(IN_TOTO_PAYLOAD, Buffer.from(JSON.stringify(statement)), privateKey);
}

async function seconds(work: () => void | Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

function appendAll(path: string, texts: readonly string[]): void {
  const fd = openSync(path, "ax");
  for (const text of texts) {
    writeSync(fd, text);
    fsyncSync(fd);
  }
  closeSync(fd);
}

function writeAll(folder: string, texts: readonly string[]): void {
  mkdirSync(folder);
  const names = openSync(folder, "r");
  for (const [i, text] of texts.entries()) {
    const fd = openSync(join(folder, `${i}.tmp`), "wx");
    writeSync(fd, text);
    fsyncSync(fd);
    closeSync(fd);
    renameSync(join(folder, `${i}.tmp`), join(folder, `${i}`));
    fsyncSync(names);
  }
  closeSync(names);
}
