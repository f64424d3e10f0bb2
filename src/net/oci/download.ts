import { createHash, type Hash } from "node:crypto";
import type { Hex } from "../../core/digest.ts";
import { WaybillError } from "../../core/errors.ts";
import { safeText } from "../../core/safe-text.ts";
import type { RegistryRepository } from "./registry.ts";
import { otherBytes } from "./registry-answers.ts";

/** Where the bytes of a blob go. */
export interface BlobSink {
  /** Bytes that are there already, from an earlier try. */
  have: number;
  /** SHA-256 over those. */
  hash: Hash;
  write(chunk: Uint8Array): void | Promise<void>;
  /** Throws away what is there. */
  restart(): void | Promise<void>;
}

/** Tries without a single new byte until it is given up. */
const MAX_FRUITLESS = 3;

/**
 * Reads a blob into a sink, digest and size checked while it comes; goes on where a connection broke off, and
 * where an earlier run left something. What was kept and turns out not to be the blob's beginning is read again
 * from the start, once, and not from a mirror.
 *
 * @throws WaybillError WB-NET-001 unreachable, WB-NET-002 the registry does not have it, WB-NET-004 longer than
 *   declared, WB-NET-005 other bytes
 */
export async function downloadBlob(
  repository: RegistryRepository,
  blob: { digest: Hex; size: number },
  sink: BlobSink,
): Promise<void> {
  const kept = sink.have > 0 || repository.hasMirrors;
  try {
    await readAll(repository, blob, sink, false);
    assertDigest(repository, blob, sink);
  } catch (error) {
    const code = error instanceof WaybillError ? error.code : undefined;
    const other = code === "WB-NET-005" || code === "WB-NET-004";
    // A mirror that breaks off again and again must not keep anybody from the registry, which has the same bytes.
    const broken = code === "WB-NET-001" && repository.hasMirrors;
    if ((!other && !broken) || !kept) throw error;
    if (other) {
      await sink.restart();
      sink.have = 0;
      sink.hash = createHash("sha256");
    }
    await readAll(repository, blob, sink, true);
    assertDigest(repository, blob, sink);
  }
}

/** A small blob as one buffer; throws as `downloadBlob`, and WB-NET-004 where it is declared larger than `limit`. */
export async function readBlob(
  repository: RegistryRepository,
  blob: { digest: Hex; size: number },
  limit: number,
): Promise<Buffer> {
  if (blob.size > limit)
    throw new WaybillError("WB-NET-004", `a blob of ${blob.size} bytes; at most ${limit} are read here`, {
      hint: "nothing of it was read",
    });
  let parts: Uint8Array[] = [];
  await downloadBlob(repository, blob, {
    have: 0,
    hash: createHash("sha256"),
    write: (chunk) => void parts.push(chunk),
    restart: () => {
      parts = [];
    },
  });
  return Buffer.concat(parts);
}

async function readAll(
  repository: RegistryRepository,
  blob: { digest: Hex; size: number },
  sink: BlobSink,
  skipMirrors: boolean,
): Promise<void> {
  for (let fruitless = 0; sink.have < blob.size || blob.size === 0; ) {
    const before = sink.have;
    try {
      const opened = await repository.openBlob(blob, sink.have, skipMirrors);
      if (!opened)
        throw new WaybillError(
          "WB-NET-002",
          `${safeText(repository.registry)} does not have the blob sha256:${blob.digest}`,
          { hint: "was it removed, or is the upload not finished?" },
        );
      // Range was ignored: what is there already is passed over, not written twice.
      let skip = sink.have - opened.from;
      for await (const chunk of opened.chunks) {
        const fresh = skip > 0 ? chunk.subarray(Math.min(skip, chunk.length)) : chunk;
        skip -= chunk.length - fresh.length;
        if (fresh.length === 0) continue;
        if (sink.have + fresh.length > blob.size)
          throw otherBytes(`${safeText(repository.registry)} sent more bytes than the blob has`);
        sink.hash.update(fresh);
        await written(sink, fresh);
        sink.have += fresh.length;
      }
      if (blob.size === 0) return;
    } catch (error) {
      // A full disk and an interruption are not the server's fault, and part of the chunk may be written.
      if (error instanceof SinkFailure) throw error.cause;
      const broken = !(error instanceof WaybillError) || error.code === "WB-NET-001";
      if (!broken || fruitless + 1 >= MAX_FRUITLESS) throw asUnreachable(repository, error);
    }
    fruitless = sink.have > before ? 0 : fruitless + 1;
    if (fruitless >= MAX_FRUITLESS)
      throw otherBytes(
        `${safeText(repository.registry)} ended the blob after ${sink.have} of ${blob.size} bytes`,
      );
  }
}

/** What the sink threw, told from what the network did. */
class SinkFailure extends Error {}

async function written(sink: BlobSink, chunk: Uint8Array): Promise<void> {
  try {
    await sink.write(chunk);
  } catch (cause) {
    throw new SinkFailure("the bytes could not be kept", { cause });
  }
}

function assertDigest(repository: RegistryRepository, blob: { digest: Hex }, sink: BlobSink): void {
  const found = sink.hash.copy().digest("hex");
  if (found !== blob.digest)
    throw otherBytes(
      `${safeText(repository.registry)} sent sha256:${found} for the blob sha256:${blob.digest}`,
    );
}

function asUnreachable(repository: RegistryRepository, error: unknown): unknown {
  if (error instanceof WaybillError || (error as Error).name === "AbortError") return error;
  return new WaybillError("WB-NET-001", `${safeText(repository.registry)} broke the connection off`, {
    hint: "run the command again: it goes on where it stopped",
    cause: error,
  });
}
