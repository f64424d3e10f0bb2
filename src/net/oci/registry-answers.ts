import { type Hex, sha256 } from "../../core/digest.ts";
import { WaybillError } from "../../core/errors.ts";
import { safeText } from "../../core/safe-text.ts";
import { assertType, mediaType } from "../answer.ts";
import { type HttpAnswer, type HttpRequest, type HttpStream, requestSecrets } from "../http.ts";
import { redacted } from "../redact.ts";
import { shownUrl } from "../safe-url.ts";

/** A manifest as a registry holds it; its digest is computed from the bytes. */
export interface RegistryManifest {
  digest: Hex;
  mediaType: string;
  bytes: Buffer;
}

/** Types under which registries send JSON. */
export const JSON_TYPE =
  /^(?:application\/(?:[\w.+-]+\+)?json|application\/vnd\.[\w.+-]+|application\/octet-stream|text\/plain)$/;

/**
 * The manifest in an answer.
 *
 * @param wanted the digest that was asked for
 * @throws WaybillError WB-NET-002 no JSON, WB-NET-005 other bytes than were asked for, or than the header says
 */
export function readManifest(answer: HttpAnswer, wanted: Hex | undefined): RegistryManifest {
  assertType(answer, JSON_TYPE);
  const digest = sha256(answer.body);
  if (wanted !== undefined && digest !== wanted)
    throw otherBytes(`${shownUrl(answer.url)} sent a manifest with the digest sha256:${digest}`);
  assertHeaderDigest(answer, digest);
  return { digest, mediaType: mediaType(answer.headers), bytes: answer.body };
}

/** The registry's word on what it sent or stored must be ours: else one of us is mistaken about the bytes. */
export function assertHeaderDigest(answer: HttpAnswer, digest: Hex): void {
  const said = answer.headers.get("docker-content-digest");
  if (said === null || !said.startsWith("sha256:") || said === `sha256:${digest}`) return;
  throw otherBytes(
    `${shownUrl(answer.url)} speaks of ${safeText(said.slice(0, 100))}, and the bytes are sha256:${digest}`,
  );
}

/** The error for bytes that are not those that were asked for. */
export function otherBytes(message: string): WaybillError {
  return new WaybillError("WB-NET-005", message, {
    hint: "nothing of it was used; the registry or a proxy in between is broken or hostile",
  });
}

/**
 * Where a blob's bytes begin in an answer; undefined for one that holds none.
 *
 * @throws WaybillError WB-NET-002 when it is another part than was asked for
 */
export function blobStart(
  answer: HttpStream,
  from: number,
  size: number,
): { chunks: AsyncIterable<Uint8Array>; from: number } | undefined {
  if (answer.status === 200) return { chunks: answer.chunks, from: 0 };
  if (answer.status !== 206) return undefined;
  const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(answer.headers.get("content-range") ?? "");
  if (range && Number(range[1]) === from && (range[3] === "*" || Number(range[3]) === size))
    return { chunks: answer.chunks, from };
  answer.discard();
  throw new WaybillError("WB-NET-002", `${shownUrl(answer.url)} sent another part than was asked for`, {
    hint: "the registry or a proxy in between is broken",
  });
}

/** A refusal as a whole, at most 64 KiB of it, without what was sent in secret. */
export async function whole(answer: HttpStream, request: HttpRequest): Promise<HttpAnswer> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of answer.chunks) {
    length += chunk.length;
    if (length > 65_536) break;
    parts.push(chunk);
  }
  return {
    status: answer.status,
    headers: answer.headers,
    url: answer.url,
    body: redacted(Buffer.concat(parts), requestSecrets(request)),
  };
}

/** The next page, which must be on the same server (RFC 8288). */
export function nextPage(answer: HttpAnswer): URL | undefined {
  const link = /<([^>]{1,2048})>\s*;[^,]*\brel="?next"?/i.exec(answer.headers.get("link") ?? "")?.[1];
  if (link === undefined) return undefined;
  const next = URL.canParse(link, answer.url) ? new URL(link, answer.url) : undefined;
  if (next?.origin !== answer.url.origin)
    throw new WaybillError("WB-NET-002", `${shownUrl(answer.url)} continues on another server`, {
      hint: "the registry is set up wrongly",
    });
  return next;
}
