import { EXIT } from "./exit-codes.ts";

const { fstatSync, writeSync } = process.getBuiltinModule("node:fs");

let stream: NodeJS.WriteStream | undefined;

/**
 * Standard output as a stream, for what the descriptor alone does not tell or take. To load what it stands on takes as
 * long as to verify a bundle.
 */
function outputStream(): NodeJS.WriteStream {
  if (!stream) {
    stream = process.stdout;
    stream.on("error", tellLost);
  }
  return stream;
}

/** Whether the answer goes to a terminal, and of how many columns. */
export function outputTerminal(): { columns: number | undefined } | undefined {
  if (!fstatSync(1).isCharacterDevice()) return undefined;
  const { isTTY, columns } = outputStream();
  return isTTY ? { columns } : undefined;
}

/** Writes a part of the answer, whole and before it returns wherever the system can. */
export function writeOutput(text: string): void {
  if (stream || process.platform === "win32") return void outputStream().write(text);
  let rest: Uint8Array = Buffer.from(text, "utf8");
  try {
    while (rest.length > 0) rest = rest.subarray(writeSync(1, rest));
  } catch (error) {
    // A pipe that is full and does not let its writer wait, as another program may have set it up.
    if ((error as NodeJS.ErrnoException).code === "EAGAIN") outputStream().write(rest);
    else tellLost(error as NodeJS.ErrnoException);
  }
}

/** True when nothing of the answer can be on its way still. */
export function outputIsWritten(): boolean {
  return stream === undefined;
}

/**
 * A reader that went away (`waybill check | head`) changes nothing of what was decided. An answer that could not be
 * written otherwise is a job that could not be done: nobody may read its silence as the verdict.
 */
function tellLost(error: NodeJS.ErrnoException): void {
  if (error.code === "EPIPE") return;
  const code = error.code === "ENOSPC" || error.code === "EDQUOT" ? "WB-STORE-002" : "WB-STORE-001";
  process.stderr.write(`error[${code}]: the answer could not be written: ${error.code ?? error.message}\n`);
  process.stderr.write(" fix  make room, or send standard output elsewhere\n");
  process.on("exit", () => {
    process.exitCode = EXIT.jobFailed;
  });
}
