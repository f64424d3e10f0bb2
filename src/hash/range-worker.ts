import { parentPort, workerData } from "node:worker_threads";
import { type RangeJob, runRanges } from "./ranges.ts";

// The whole of a worker that hashes ranges: it takes what is left of the job, and ends.
await runRanges(workerData as RangeJob, (answer) => parentPort?.postMessage(answer));
