// What several tests of the served journal share; it holds no test of its own.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createHash, type KeyObject, sign } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Json } from "../core/canonical-json.ts";
import { preAuthEncoding } from "../sign/dsse.ts";
import { generateKeyPair, publicKeyPem, spkiDer } from "../sign/keys.ts";
import { type JournalServeOptions, type ServedJournal, serveJournal } from "./journal-serve.ts";

type Cleanup = { after(done: () => void | Promise<void>): void };

const BIN = join(import.meta.dirname, "../../bin/waybill.js");

/** A fresh folder, removed at the end of the test. */
export function freshFolder(t: Cleanup): string {
  const folder = mkdtempSync(join(tmpdir(), "waybill-served-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A key with what a maker posts by it. */
export class Maker {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;

  constructor(keys = generateKeyPair()) {
    this.privateKey = keys.privateKey;
    this.publicKey = keys.publicKey;
  }

  get pem(): string {
    return publicKeyPem(this.publicKey);
  }

  /** A CreateEntryRequest over some text, signed by this key. */
  entry(text: string): { hashedRekordRequestV002: { digest: string; signature: { content: string } } } {
    const data = preAuthEncoding("application/vnd.in-toto+json", Buffer.from(text));
    return {
      hashedRekordRequestV002: {
        digest: createHash("sha256").update(data).digest("base64"),
        signature: {
          content: sign("sha256", data, this.privateKey).toString("base64"),
          verifier: {
            publicKey: { rawBytes: spkiDer(this.publicKey).toString("base64") },
            keyDetails: "PKIX_ECDSA_P256_SHA_256",
          },
        },
      },
    } as ReturnType<Maker["entry"]>;
  }
}

/** A trust policy that names principals by their keys, each with further fields of its entry. */
export function trustOf(
  principals: Record<string, Record<string, Json>[]>,
  more: Record<string, unknown> = {},
): string {
  return JSON.stringify({
    waybillTrust: "v1",
    version: 1,
    expires: "2099-01-01T00:00:00Z",
    principals: Object.entries(principals).map(([name, keys]) => ({ name, keys })),
    rules: [],
    revoked: [],
    ...more,
  });
}

/** A served journal in this process, closed at the end of the test. */
export async function served(
  t: Cleanup,
  options: { trust: string; home?: string } & Partial<Omit<JournalServeOptions, "home" | "trust">>,
): Promise<ServedJournal & { home: string; trustFile: string; said: string[] }> {
  const folder = freshFolder(t);
  const home = options.home ?? join(folder, "home");
  const trustFile = join(folder, "trust.yaml");
  writeFileSync(trustFile, options.trust);
  const said: string[] = [];
  const journal = await serveJournal({
    ...{ host: "127.0.0.1", port: 0, witnesses: [], now: () => new Date() },
    say: (line) => void said.push(line),
    ...options,
    ...{ home, trust: trustFile },
  });
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closed ??= journal.close();
    return closed;
  };
  t.after(close);
  return { ...journal, close, home, trustFile, said };
}

/** What a log answers to an entry. */
export interface LogAnswer {
  logIndex: string;
  canonicalizedBody: string;
  inclusionProof: { treeSize: string; hashes: string[]; checkpoint: { envelope: string } };
  message?: string;
}

export async function post(url: string, body: unknown): Promise<{ status: number; answer: LogAnswer }> {
  const response = await fetch(`${url}/api/v2/log/entries`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify(body),
    signal: AbortSignal.timeout(60_000),
  });
  const text = await response.text();
  return { status: response.status, answer: (text === "" ? {} : JSON.parse(text)) as LogAnswer };
}

/** `waybill WORDS` as a process of its own, which says its address. */
export async function startWaybill(
  t: Cleanup,
  home: string,
  words: string[],
): Promise<{ child: ChildProcess; url: string; out: () => string; ended: Promise<number | null> }> {
  const child = spawn(process.execPath, [BIN, ...words], {
    env: { ...process.env, WAYBILL_HOME: home },
    stdio: ["ignore", "pipe", "pipe"],
  });
  t.after(() => void child.kill("SIGKILL"));
  let out = "";
  for (const stream of [child.stdout!, child.stderr!])
    stream.on("data", (data: Buffer) => {
      out += data.toString();
    });
  const ended = new Promise<number | null>((resolve) => child.once("close", (code) => resolve(code)));
  const until = Date.now() + 60_000;
  for (;;) {
    const url = / at (http:\/\/[\d.:]+)\n/.exec(out)?.[1];
    if (url !== undefined && /Ctrl-C/.test(out)) return { child, url, out: () => out, ended };
    if (child.exitCode !== null || Date.now() > until) throw new Error(`it did not start: ${out}`);
    await sleep(20);
  }
}

/** `waybill WORDS` to its end. */
export function waybill(
  home: string,
  ...words: string[]
): { status: number | null; stdout: string; out: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...words], {
    encoding: "utf8",
    env: { ...process.env, WAYBILL_HOME: home },
  });
  return { status, stdout, out: stdout + stderr };
}
