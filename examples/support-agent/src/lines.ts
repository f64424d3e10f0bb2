import type { Readable } from "node:stream";

/**
 * Calls `onLine` for every newline-terminated line. A line longer than `most` bytes is dropped to its end,
 * and reported once to `onTooLong`, so that memory stays bounded whatever the other side sends.
 */
export function readLines(
  stream: Readable,
  most: number,
  onLine: (line: string) => void,
  onTooLong: () => void,
): void {
  let parts: Buffer[] = [];
  let size = 0;
  let dropping = false;
  const add = (part: Buffer) => {
    if (dropping) return;
    if (size + part.length > most) {
      dropping = true;
      parts = [];
      size = 0;
      onTooLong();
      return;
    }
    parts.push(part);
    size += part.length;
  };
  stream.on("data", (chunk: Buffer) => {
    let from = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
      add(chunk.subarray(from, end));
      from = end + 1;
      const line = dropping ? "" : Buffer.concat(parts).toString("utf8").trim();
      parts = [];
      size = 0;
      dropping = false;
      if (line !== "") onLine(line);
    }
    if (from < chunk.length) add(chunk.subarray(from));
  });
}
