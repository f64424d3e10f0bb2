import { generateKeyPairSync, randomFillSync } from "node:crypto";
import {
  accessSync,
  closeSync,
  constants,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Contender, interleave, type Row, ratios, runCommand } from "./measure.ts";

const MIB = 1 << 20;
const REPOSITORY = fileURLToPath(new URL("..", import.meta.url));
const OURS = ["verify", "lock"];

const MANIFEST = `waybill: v1
agent: bench
components: [{ kind: model, name: weights, path: model }]
start: { command: ["true"] }
`;

export const hash = {
  name: "hash",
  description: "hashing a model: verify (chunk roots) and lock (both digests) against other tools",
  run,
};

/**
 * Measures on eight shards, on one file of the same size, and on a file of 1 KiB (start-up alone). A shard has
 * WAYBILL_BENCH_MIB MiB, by default 256. Files lie in a fresh temporary folder and in the page cache, and are
 * removed whatever happens, also when `signal` ends the bench.
 */
async function run(signal: AbortSignal): Promise<Row[]> {
  const shard = Number(process.env.WAYBILL_BENCH_MIB || 256);
  if (!Number.isInteger(shard) || shard < 1) throw new Error("WAYBILL_BENCH_MIB is not a number of MiB");
  // Set for two cores; on small input start-up decides, and any goal would be met.
  const judged = availableParallelism() === 2 && shard >= 256;
  const folder = mkdtempSync(join(tmpdir(), "waybill-bench-"));
  // As for anyone who has a key: compiled code is kept there.
  const home = process.env.WAYBILL_HOME;
  process.env.WAYBILL_HOME = join(folder, "home");
  mkdirSync(process.env.WAYBILL_HOME, { mode: 0o700 });
  try {
    const waybill = await installWaybill(join(folder, "waybill"), signal);
    const goals = (verify: number, lock: number) => ({
      "verify model_signing": verify,
      "lock model_signing": lock,
    });
    const rows: Row[] = [];
    for (const [name, files, bytes, wanted] of [
      [`eight shards of ${shard} MiB`, 8, shard * MIB, goals(1.1, 0.55)],
      [`one file of ${8 * shard} MiB`, 1, 8 * shard * MIB, goals(2, 1.1)],
      ["one file of 1 KiB", 1, 1024, {}],
    ] as const) {
      const agent = join(folder, name.replaceAll(" ", "-"));
      const model = makeModel(join(agent, "model"), files, bytes);
      writeFileSync(join(agent, "waybill.yaml"), MANIFEST);
      await runCommand([process.execPath, waybill, "lock", "--dir", agent], signal);
      const theirs = await others(folder, model, signal);
      const ours = OURS.map((mode) => ({
        name: mode,
        // Nobody has signed it: `observe` reads and compares all the same, and ends with 0.
        command: [
          process.execPath,
          waybill,
          mode,
          "--dir",
          agent,
          ...(mode === "verify" ? ["--level", "observe"] : []),
        ],
      }));
      const times = await interleave([...ours, ...theirs], 5, signal);
      rows.push(...ratios(name, OURS, theirs, times, judged ? wanted : {}));
      rmSync(agent, { recursive: true });
    }
    return rows;
  } finally {
    if (home === undefined) delete process.env.WAYBILL_HOME;
    else process.env.WAYBILL_HOME = home;
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Waybill as its package holds it, compiled; gives the path of its program. */
export async function installWaybill(to: string, signal: AbortSignal): Promise<string> {
  const tsc = join(REPOSITORY, "node_modules/typescript/bin/tsc");
  const build = ["-p", join(REPOSITORY, "tsconfig.build.json"), "--outDir", join(to, "dist")];
  await runCommand([process.execPath, tsc, ...build], signal);
  await runCommand([process.execPath, join(REPOSITORY, "scripts/join-modules.ts"), join(to, "dist")], signal);
  for (const file of ["bin/waybill.js", "package.json"]) cpSync(join(REPOSITORY, file), join(to, file));
  symlinkSync(join(REPOSITORY, "node_modules"), join(to, "node_modules"));
  return join(to, "bin/waybill.js");
}

/** A folder of so many files of random bytes. */
function makeModel(folder: string, files: number, bytes: number): string {
  mkdirSync(folder, { recursive: true });
  const block = Buffer.alloc(Math.min(bytes, MIB));
  for (let file = 1; file <= files; file += 1) {
    const fd = openSync(join(folder, `model-${file}.safetensors`), "wx");
    for (let done = 0; done < bytes; done += block.length) writeSync(fd, randomFillSync(block));
    closeSync(fd);
  }
  return folder;
}

/** The public tools; `model_signing` verifies a signature that is made here, with a fresh P-256 key. */
async function others(folder: string, model: string, signal: AbortSignal): Promise<Contender[]> {
  const files = readdirSync(model).map((file) => join(model, file));
  const signing = installed(process.env.MODEL_SIGNING || "model_signing");
  if (signing) {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    writeFileSync(join(folder, "key.pem"), privateKey.export({ type: "pkcs8", format: "pem" }), {
      mode: 0o600,
    });
    writeFileSync(join(folder, "key.pub"), publicKey.export({ type: "spki", format: "pem" }));
    const key = ["--private_key", join(folder, "key.pem")];
    await runCommand(
      [signing, "sign", "key", ...key, "--signature", join(folder, "model.sig"), model],
      signal,
    );
  }
  const check = ["--public_key", join(folder, "key.pub"), "--signature", join(folder, "model.sig"), model];
  const contender = (name: string, program: string | undefined, ...args: string[]): Contender => ({
    name,
    command: program === undefined ? undefined : [program, ...args],
  });
  return [
    contender("sha256sum", installed("sha256sum"), ...files),
    contender("openssl", installed("openssl"), "dgst", "-sha256", ...files),
    contender("model_signing", signing, "verify", "key", ...check),
  ];
}

/** The program's path: the given one, or the first of that name on PATH. */
function installed(program: string): string | undefined {
  const folders = program.includes("/") ? [""] : (process.env.PATH ?? "").split(delimiter);
  return folders
    .map((folder) => (folder === "" ? program : join(folder, program)))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}
