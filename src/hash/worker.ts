import { parentPort, workerData } from "node:worker_threads";
import type { Job } from "./job.ts";
import { runTasks } from "./tasks.ts";

// The whole of a hashing worker: it works off the shared job and ends. pool.ts waits for the end.
runTasks(workerData as Job, (failure) => parentPort?.postMessage(failure));
