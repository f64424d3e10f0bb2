import type { Io } from "./io.ts";

/** Resolves at Ctrl-C, or when a service manager ends this process (SIGTERM). A second signal ends it at once. */
export function untilStopped(io: Io): Promise<void> {
  if (io.signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    // Nothing else may keep this process alive between two requests.
    const alive = setInterval(() => {}, 1 << 30);
    const stop = (): void => {
      clearInterval(alive);
      process.off("SIGTERM", stop);
      resolve();
    };
    process.once("SIGTERM", stop);
    io.signal.addEventListener("abort", stop, { once: true });
  });
}
