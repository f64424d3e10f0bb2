// Run by bench/hash.ts in a fresh process: what `waybill verify` and `waybill lock` do for a folder of weights,
// start-up included. Arguments: lock or verify, the folder, a folder for the compile cache.
import { enableCompileCache } from "node:module";

const [mode, model, cache] = process.argv.slice(2);
if ((mode !== "lock" && mode !== "verify") || !model || !cache) throw new Error("usage: MODE FOLDER CACHE");
// As bin/waybill.js does; so the modules are imported after it.
enableCompileCache(`${cache}/compile-cache`);
const { walkTree } = await import("../src/hash/walk.ts");
const { hashFiles } = await import("../src/hash/pool.ts");

const walk = await walkTree(model);
if (walk.problems.length > 0) throw new Error(JSON.stringify(walk.problems));
const results = await hashFiles(
  walk.files.map(({ absolute, size, dev, ino }) => ({ absolute, size, dev, ino, mode })),
);
if (!results.every((result) => result.ok)) throw new Error(JSON.stringify(results));
