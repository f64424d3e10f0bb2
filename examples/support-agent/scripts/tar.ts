const BLOCK = 512;

/** A regular file of an archive; `path` is POSIX and relative. */
export interface Entry {
  path: string;
  bytes: Uint8Array;
}

/** A ustar archive in the order of the paths: mode 0644, owner 65532, time 0, folders before their files. */
export function tar(entries: readonly Entry[]): Buffer {
  const folders = new Set(entries.flatMap(({ path }) => parents(path)));
  const all = [
    ...[...folders].map((path) => ({ path, bytes: new Uint8Array(), folder: true })),
    ...entries.map((entry) => ({ ...entry, folder: false })),
  ].sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
  const blocks: Uint8Array[] = [];
  for (const { path, bytes, folder } of all) {
    blocks.push(header(path, bytes.length, folder), bytes);
    blocks.push(new Uint8Array((BLOCK - (bytes.length % BLOCK)) % BLOCK));
  }
  return Buffer.concat([...blocks, new Uint8Array(2 * BLOCK)]);
}

function parents(path: string): string[] {
  const parts = path.split("/").slice(0, -1);
  return parts.map((_, index) => `${parts.slice(0, index + 1).join("/")}/`);
}

function header(path: string, size: number, folder: boolean): Buffer {
  if (Buffer.byteLength(path) > 100) throw new Error(`tar: the path is longer than 100 bytes: ${path}`);
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, length: number) =>
    block.write(`${value.toString(8).padStart(length - 1, "0")}\0`, at, "latin1");
  block.write(path, 0, "utf8");
  octal(folder ? 0o755 : 0o644, 100, 8);
  octal(65532, 108, 8);
  octal(65532, 116, 8);
  octal(size, 124, 12);
  octal(0, 136, 12);
  block.write("        ", 148, "latin1");
  block.write(folder ? "5" : "0", 156, "latin1");
  block.write("ustar\0" + "00", 257, "latin1");
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}
