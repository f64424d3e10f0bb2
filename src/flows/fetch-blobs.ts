import { createHash } from "node:crypto";
import {
  closeSync,
  createReadStream,
  fsyncSync,
  lstatSync,
  openSync,
  renameSync,
  rmSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { type Hex, sha256 } from "../core/digest.ts";
import type { Lock } from "../core/lock.ts";
import { type ReleaseLayer, releaseLayers } from "../core/release-layers.ts";
import type { Descriptor, OciManifest } from "../formats/oci.ts";
import { writeFileAtomic } from "../hash/atomic-write.ts";
import { readFileBounded } from "../hash/read-file.ts";
import type { ImageStore } from "../store/image-store.ts";
import { noRelease } from "./read-release.ts";
import { PACK_LAYER } from "./release-artifact.ts";

/** Blobs that are fetched at a time. */
const AT_A_TIME = 4;

/**
 * Brings every content of a lock into a folder, each under its digest, checked while it comes; goes on where an earlier
 * call was stopped. After the first failure no other blob is begun, and those that are on their way end.
 *
 * @param manifest of the artifact: it names the packs, all else is named by the lock
 * @param blobs the folder; it belongs to one caller at a time
 * @returns how many bytes had to be fetched
 * @throws WaybillError WB-INPUT-006 packs that are not those of the lock, and as the store does; errors of the file
 *   system as they come
 */
export async function fetchBlobs(
  store: ImageStore,
  manifest: OciManifest,
  lock: Lock,
  blobs: string,
  signal: AbortSignal | undefined,
): Promise<number> {
  const packs = manifest.blobs.slice(1).filter(({ mediaType }) => mediaType === PACK_LAYER);
  const jobs = releaseLayers(lock).map((layer) => {
    const pack = layer.kind === "pack" ? packs.shift() : undefined;
    if (layer.kind === "pack" && pack?.size !== layer.size)
      throw noRelease("its packs are not those of its lock");
    return { layer, pack };
  });
  const fetcher = new Fetcher(store, blobs, signal);
  let next = 0;
  const work = async () => {
    for (let job = jobs[next++]; job && !fetcher.stopped; job = jobs[next++]) await fetcher.fetch(job);
  };
  const ends = await Promise.allSettled(Array.from({ length: AT_A_TIME }, () => work().catch(fetcher.fail)));
  for (const end of ends) if (end.status === "rejected") throw fetcher.stopped?.cause ?? end.reason;
  return fetcher.bytes;
}

class Fetcher {
  bytes = 0;
  /** The first failure. */
  stopped: { cause: unknown } | undefined;
  private readonly store: ImageStore;
  private readonly blobs: string;
  private readonly signal: AbortSignal | undefined;

  constructor(store: ImageStore, blobs: string, signal: AbortSignal | undefined) {
    this.store = store;
    this.blobs = blobs;
    this.signal = signal;
  }

  readonly fail = (cause: unknown): never => {
    this.stopped ??= { cause };
    throw cause;
  };

  async fetch({ layer, pack }: { layer: ReleaseLayer; pack: Descriptor | undefined }): Promise<void> {
    this.signal?.throwIfAborted();
    if (layer.kind === "file") await this.blob({ digest: layer.sha256, size: layer.size });
    else if (!layer.files.every((file) => this.isThere(file.sha256, file.size)))
      await this.unpack(layer, pack!);
  }

  private async unpack(layer: Extract<ReleaseLayer, { kind: "pack" }>, pack: Descriptor): Promise<void> {
    await this.blob({ digest: pack.sha256, size: pack.size });
    const bytes = readFileBounded(join(this.blobs, pack.sha256), pack.size);
    let at = 0;
    for (const { sha256: digest, size } of layer.files) {
      const part = bytes.subarray(at, at + size);
      at += size;
      if (sha256(part) !== digest) throw noRelease(`a pack holds other bytes where sha256:${digest} belongs`);
      writeFileAtomic(join(this.blobs, digest), part);
    }
    rmSync(join(this.blobs, pack.sha256));
  }

  /** One blob, from where an earlier try ended; its name without `.part` says that it was checked. */
  private async blob(blob: { digest: Hex; size: number }): Promise<void> {
    if (this.isThere(blob.digest, blob.size)) return;
    const path = join(this.blobs, blob.digest);
    const part = `${path}.part`;
    const before = lstatSync(part, { throwIfNoEntry: false });
    let have = before?.isFile() ? before.size : 0;
    if ((before && !before.isFile()) || have > blob.size) {
      rmSync(part, { force: true, recursive: true });
      have = 0;
    }
    const hash = createHash("sha256");
    if (have > 0) for await (const chunk of createReadStream(part)) hash.update(chunk);
    const fd = openSync(part, "a", 0o600);
    try {
      const write = (chunk: Uint8Array) => {
        if (this.stopped) throw this.stopped.cause;
        for (let done = 0; done < chunk.length; ) done += writeSync(fd, chunk, done);
        this.bytes += chunk.length;
      };
      await this.store.download(blob, { have, hash, write, restart: () => truncateSync(part, 0) });
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(part, path);
  }

  private isThere(digest: Hex, size: number): boolean {
    const stat = lstatSync(join(this.blobs, digest), { throwIfNoEntry: false });
    return stat?.isFile() === true && stat.size === size;
  }
}
