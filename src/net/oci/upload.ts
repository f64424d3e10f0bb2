import { type Hex, sha256 } from "../../core/digest.ts";
import { WaybillError } from "../../core/errors.ts";
import { safeText } from "../../core/safe-text.ts";
import { refusedBy } from "../answer.ts";
import { collect } from "../body.ts";
import type { HttpAnswer } from "../http.ts";
import { shownUrl } from "../safe-url.ts";
import type { RegistryRepository } from "./registry.ts";

/** A blob that is to be stored; its bytes can be read again from any place. */
export interface BlobSource {
  digest: Hex;
  /** In bytes. */
  size: number;
  open(from: number): AsyncIterable<Uint8Array>;
}

/** A blob of these bytes. */
export function bytesSource(bytes: Uint8Array): BlobSource {
  return {
    digest: sha256(bytes),
    size: bytes.length,
    async *open(from) {
      if (from < bytes.length) yield bytes.subarray(from);
    },
  };
}

/** Up to here a blob is sent in one request, from memory. */
const AT_ONCE = 8 << 20;
const MAX_RESUMES = 5;
const OCTETS = { "content-type": "application/octet-stream" };

/**
 * Stores a blob unless it is there (distribution-spec v1.1, "Pushing blobs"): mounted out of another repository of
 * the registry where one is named and the registry can, in one request when it is small, else in a stream that
 * goes on after a broken connection.
 *
 * @returns what had to be done
 * @throws WaybillError WB-NET-001 to -003; WB-NET-002 too when the bytes are not those of the digest
 */
export async function uploadBlob(
  repository: RegistryRepository,
  source: BlobSource,
  options: { mountFrom?: string } = {},
): Promise<"there" | "mounted" | "sent"> {
  if (await repository.hasBlob(source.digest)) return "there";
  const mount =
    options.mountFrom === undefined ? undefined : { digest: source.digest, from: options.mountFrom };
  const session = await begin(repository, mount);
  if (session === "mounted") return session;
  if (source.size <= AT_ONCE) {
    const body = await collect(source.open(0));
    await finish(repository, session, source.digest, body);
  } else {
    await finish(repository, await sendAll(repository, session, source), source.digest);
  }
  return "sent";
}

async function begin(
  repository: RegistryRepository,
  mount?: { digest: Hex; from: string },
): Promise<URL | "mounted"> {
  const start = repository.url("blobs/uploads/");
  if (mount) {
    start.searchParams.set("mount", `sha256:${mount.digest}`);
    start.searchParams.set("from", mount.from);
  }
  // A second session that nobody finishes is cleaned up by the registry.
  const answer = await repository.request({ method: "POST", url: start, repeat: true });
  if (answer.status === 201 && mount) return "mounted";
  if (answer.status !== 202) throw refusedBy(answer, "beginning an upload");
  return locationOf(answer);
}

/** Streams all of a blob into a session; gives the address at which it is finished. */
async function sendAll(repository: RegistryRepository, first: URL, source: BlobSource): Promise<URL> {
  let session = first;
  let sent = 0;
  for (let resumes = 0; ; resumes += 1) {
    const from = sent;
    try {
      const answer = await repository.request({
        method: "PATCH",
        url: session,
        headers: {
          ...OCTETS,
          "content-length": String(source.size - from),
          ...(from === 0 ? {} : { "content-range": `${from}-${source.size - 1}` }),
        },
        body: () => source.open(from),
      });
      if (answer.status === 202 || answer.status === 201 || answer.status === 204) return locationOf(answer);
      const lost = answer.status === 404 || answer.status === 416;
      if (answer.status < 500 && !lost) throw refusedBy(answer, "sending a blob");
      if (resumes >= MAX_RESUMES) throw refusedBy(answer, "sending a blob");
    } catch (error) {
      const broken = error instanceof WaybillError && error.code === "WB-NET-001";
      if (!broken || resumes >= MAX_RESUMES) throw error;
    }
    ({ session, sent } = await progress(repository, session, source.size));
  }
}

/** How much of a session arrived; a new one where the registry gave the old one up, as distribution 2 does. */
async function progress(
  repository: RegistryRepository,
  session: URL,
  size: number,
): Promise<{ session: URL; sent: number }> {
  const answer = await repository.request({ method: "GET", url: session });
  const range = /^(?:bytes=)?0-(\d+)$/.exec(answer.headers.get("range") ?? "");
  if (answer.status === 404 || answer.status === 400 || answer.status === 416)
    return { session: (await begin(repository)) as URL, sent: 0 };
  if (answer.status !== 204 && answer.status !== 200) throw refusedBy(answer, "going on with an upload");
  // `0-0` is also what a session without a single byte says.
  const last = range ? Number(range[1]) : 0;
  const sent = last === 0 ? 0 : last + 1;
  if (sent > size)
    throw new WaybillError("WB-NET-002", `${shownUrl(session)} has more bytes than were sent`, {
      hint: "run the command again",
    });
  return { session: answer.headers.get("location") === null ? session : locationOf(answer), sent };
}

async function finish(
  repository: RegistryRepository,
  session: URL,
  digest: Hex,
  body?: Uint8Array,
): Promise<void> {
  const url = new URL(session);
  url.searchParams.set("digest", `sha256:${digest}`);
  const answer = await repository.request({
    method: "PUT",
    url,
    headers: OCTETS,
    ...(body === undefined ? {} : { body }),
  });
  if (answer.status !== 201 && answer.status !== 204) throw refusedBy(answer, "finishing an upload");
}

function locationOf(answer: HttpAnswer): URL {
  const location = answer.headers.get("location") ?? "";
  if (location !== "" && URL.canParse(location, answer.url)) return new URL(location, answer.url);
  throw new WaybillError("WB-NET-002", `${safeText(answer.url.host)} says not where to send a blob`, {
    hint: "is this a registry?",
  });
}
