import { type Hex, sha256 } from "../../core/digest.ts";
import { WaybillError } from "../../core/errors.ts";
import { safeText } from "../../core/safe-text.ts";
import {
  assertType,
  type HttpAnswer,
  type HttpClient,
  type HttpRequest,
  type HttpStream,
  mediaType,
  refusedBy,
} from "../http.ts";
import { isLoopback } from "../loopback.ts";
import { shownUrl } from "../safe-url.ts";
import { RegistryAuth } from "./auth.ts";
import type { Credentials } from "./credentials.ts";

/** Largest manifest, in bytes (OCI distribution-spec v1.1: registries should take 4 MiB). */
export const MAX_MANIFEST = 4 << 20;

/** A manifest as a registry holds it; its digest is computed from the bytes. */
export interface RegistryManifest {
  digest: Hex;
  mediaType: string;
  bytes: Buffer;
}

export interface RegistryOptions {
  http: HttpClient;
  /** As in references. */
  registry: string;
  repository: string;
  credentials?: () => Promise<Credentials | undefined>;
  realms?: ReadonlySet<string>;
  /** Another server with the same content; only what a digest proves is taken from it. */
  mirrors?: readonly URL[];
}

const MANIFEST_TYPES = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.docker.distribution.manifest.v2+json",
];
const JSON_TYPE =
  /^(?:application\/(?:[\w.+-]+\+)?json|application\/vnd\.[\w.+-]+|application\/octet-stream|text\/plain)$/;
const MAX_PAGES = 20;

/**
 * One repository of a registry (OCI distribution-spec v1.1). What comes by digest is compared with it, what comes
 * by tag gets its digest from the bytes; nothing that a header says of content is believed.
 */
export class RegistryRepository {
  readonly registry: string;
  readonly repository: string;
  readonly origin: URL;
  private readonly http: HttpClient;
  private readonly auth: RegistryAuth;
  private readonly mirrors: readonly URL[];

  constructor(options: RegistryOptions) {
    this.http = options.http;
    this.registry = options.registry;
    this.repository = options.repository;
    this.origin = originOf(options.registry, options.http.plainHosts);
    this.mirrors = options.mirrors ?? [];
    const { realms } = options;
    this.auth = new RegistryAuth({
      http: options.http,
      origin: this.origin,
      credentials: options.credentials ?? (async () => undefined),
      ...(realms ? { realms } : {}),
    });
  }

  /** Whether other servers are asked first. */
  get hasMirrors(): boolean {
    return this.mirrors.length > 0;
  }

  /** The path of something in this repository, such as `manifests/latest`. */
  url(path: string): URL {
    return new URL(`/v2/${this.repository}/${path}`, this.origin);
  }

  /**
   * A manifest by tag or by digest (`sha256:…`), or undefined where there is none.
   *
   * @throws WaybillError WB-NET-001 to -006; WB-NET-005 when its bytes have another digest than was asked for, or
   *   than the registry says
   */
  async manifest(reference: string): Promise<RegistryManifest | undefined> {
    const wanted = reference.startsWith("sha256:") ? reference.slice(7) : undefined;
    if (wanted !== undefined) {
      const found = await this.mirroredManifest(reference, wanted);
      if (found) return found;
    }
    const answer = await this.request({
      method: "GET",
      url: this.url(`manifests/${reference}`),
      headers: { accept: MANIFEST_TYPES.join(", ") },
      maxBytes: MAX_MANIFEST,
    });
    if (answer.status === 404) return undefined;
    if (answer.status !== 200) throw refusedBy(answer, `reading ${safeText(reference)}`);
    return readManifest(answer, wanted);
  }

  private async mirroredManifest(reference: string, wanted: Hex): Promise<RegistryManifest | undefined> {
    for (const mirror of this.mirrors) {
      try {
        const url = new URL(`/v2/${this.repository}/manifests/${reference}`, mirror);
        const headers = { accept: MANIFEST_TYPES.join(", ") };
        const answer = await this.http.request({ method: "GET", url, headers, maxBytes: MAX_MANIFEST });
        if (answer.status === 200) return readManifest(answer, wanted);
      } catch (error) {
        // A mirror is a convenience: what it cannot give, the registry is asked for.
        if (!(error instanceof WaybillError)) throw error;
      }
    }
    return undefined;
  }

  /**
   * Stores a manifest under its digest, and under a tag.
   *
   * @returns whether the registry listed it as a referrer of its subject (`OCI-Subject`)
   * @throws WaybillError WB-NET-002 it was not taken, WB-NET-003, WB-NET-005 the registry stored other bytes
   */
  async putManifest(bytes: Uint8Array, type: string, tag?: string): Promise<{ subjectListed: boolean }> {
    const digest = sha256(bytes);
    const answer = await this.request({
      method: "PUT",
      url: this.url(`manifests/${tag ?? `sha256:${digest}`}`),
      headers: { "content-type": type },
      body: bytes,
      repeat: true,
    });
    if (answer.status !== 201 && answer.status !== 200)
      throw refusedBy(answer, `writing ${safeText(tag ?? `sha256:${digest}`)}`);
    assertHeaderDigest(answer, digest);
    return { subjectListed: answer.headers.get("oci-subject") !== null };
  }

  /** Whether the repository holds a blob. */
  async hasBlob(digest: Hex): Promise<boolean> {
    const answer = await this.request({ method: "HEAD", url: this.url(`blobs/sha256:${digest}`) });
    if (answer.status === 200) return true;
    if (answer.status === 404) return false;
    throw refusedBy(answer, "asking for a blob");
  }

  /**
   * Opens a blob from an offset on: from the mirrors, then from the registry. The bytes are not verified yet.
   *
   * @returns the chunks and whether they start at `from` (else at 0: Range was ignored), or undefined for 404
   */
  async openBlob(
    { digest, size }: { digest: Hex; size: number },
    from = 0,
    skipMirrors = false,
  ): Promise<{ chunks: AsyncIterable<Uint8Array>; from: number } | undefined> {
    const headers = from > 0 ? { range: `bytes=${from}-` } : {};
    const path = `blobs/sha256:${digest}`;
    for (const mirror of skipMirrors ? [] : this.mirrors) {
      try {
        const url = new URL(`/v2/${this.repository}/${path}`, mirror);
        const answer = await this.http.stream({ method: "GET", url, headers, maxBytes: size });
        const opened = blobStart(answer, from, size);
        if (opened) return opened;
        answer.discard();
      } catch (error) {
        if (!(error instanceof WaybillError)) throw error;
      }
    }
    const answer = await this.streamed({ method: "GET", url: this.url(path), headers, maxBytes: size });
    const opened = blobStart(answer, from, size);
    if (opened) return opened;
    if (answer.status === 404) {
      answer.discard();
      return undefined;
    }
    throw refusedBy(await whole(answer), "reading a blob");
  }

  /**
   * The pages of the referrers API (distribution-spec "Listing Referrers"), each an image index as bytes; undefined
   * where the registry does not have the API.
   */
  async referrersPages(digest: Hex): Promise<Buffer[] | undefined> {
    const pages: Buffer[] = [];
    let url: URL | undefined = this.url(`referrers/sha256:${digest}`);
    while (url) {
      const answer: HttpAnswer = await this.request({
        method: "GET",
        url,
        headers: { accept: MANIFEST_TYPES[0]! },
        maxBytes: MAX_MANIFEST,
      });
      if (pages.length === 0 && (answer.status === 404 || answer.status === 405)) return undefined;
      if (answer.status !== 200) throw refusedBy(answer, "listing referrers");
      assertType(answer, JSON_TYPE);
      pages.push(answer.body);
      url = nextPage(answer);
      if (url && pages.length >= MAX_PAGES)
        throw new WaybillError(
          "WB-NET-004",
          `${safeText(url.host)} lists more than ${MAX_PAGES} pages of referrers`,
          {
            hint: "remove signatures that nobody needs any more",
          },
        );
    }
    return pages;
  }

  /** Pages of tag names, as the registry sends them. */
  async tagsPages(): Promise<Buffer[]> {
    const pages: Buffer[] = [];
    let url: URL | undefined = this.url("tags/list");
    while (url && pages.length < MAX_PAGES) {
      const answer: HttpAnswer = await this.request({ method: "GET", url });
      if (answer.status === 404) return pages;
      if (answer.status !== 200) throw refusedBy(answer, "listing tags");
      assertType(answer, JSON_TYPE);
      pages.push(answer.body);
      url = nextPage(answer);
    }
    return pages;
  }

  /** A request with the registry's authorization, challenged once where it must be. */
  async request(request: HttpRequest): Promise<HttpAnswer> {
    const scope = this.scope(request.method);
    const answer = await this.http.request(this.authorized(request, scope));
    if (answer.status !== 401 || !(await this.auth.answer(answer, scope))) return answer;
    return this.http.request(this.authorized(request, scope));
  }

  private async streamed(request: HttpRequest): Promise<HttpStream> {
    const scope = this.scope(request.method);
    const answer = await this.http.stream(this.authorized(request, scope));
    if (answer.status !== 401) return answer;
    if (!(await this.auth.answer(await whole(answer), scope))) return answer;
    return this.http.stream(this.authorized(request, scope));
  }

  /** Pushing wants both rights, so that one token does for a whole job. */
  private scope(method: HttpRequest["method"]): string {
    const pulling = method === "GET" || method === "HEAD";
    const push = `repository:${this.repository}:pull,push`;
    return pulling && this.auth.header(push) === undefined ? `repository:${this.repository}:pull` : push;
  }

  private authorized(request: HttpRequest, scope: string): HttpRequest {
    const header = this.auth.header(scope);
    // An upload may be sent to another server, which gets what it needs in its own address.
    if (header === undefined || request.url.origin !== this.origin.origin) return request;
    return { ...request, headers: { ...request.headers, authorization: header } };
  }
}

/** Where a registry is asked: Docker Hub has a server of its own; this machine and named hosts speak plain http. */
export function originOf(registry: string, plainHttp: ReadonlySet<string>): URL {
  const host = registry === "docker.io" ? "registry-1.docker.io" : registry;
  const url = new URL(`https://${host}/`);
  const plain = isLoopback(url.hostname) || plainHttp.has(url.host) || plainHttp.has(url.hostname);
  return plain ? new URL(`http://${host}/`) : url;
}

function readManifest(answer: HttpAnswer, wanted: Hex | undefined): RegistryManifest {
  assertType(answer, JSON_TYPE);
  const digest = sha256(answer.body);
  if (wanted !== undefined && digest !== wanted)
    throw otherBytes(`${shownUrl(answer.url)} sent a manifest with the digest sha256:${digest}`);
  assertHeaderDigest(answer, digest);
  return { digest, mediaType: mediaType(answer.headers), bytes: answer.body };
}

/** The registry's word on what it sent or stored must be ours: else one of us is mistaken about the bytes. */
function assertHeaderDigest(answer: HttpAnswer, digest: Hex): void {
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

function blobStart(
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

async function whole(answer: HttpStream): Promise<HttpAnswer> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of answer.chunks) {
    length += chunk.length;
    if (length > 65_536) break;
    parts.push(chunk);
  }
  return { status: answer.status, headers: answer.headers, url: answer.url, body: Buffer.concat(parts) };
}

/** The next page, which must be on the same server (RFC 8288). */
function nextPage(answer: HttpAnswer): URL | undefined {
  const link = /<([^>]{1,2048})>\s*;[^,]*\brel="?next"?/i.exec(answer.headers.get("link") ?? "")?.[1];
  if (link === undefined) return undefined;
  const next = URL.canParse(link, answer.url) ? new URL(link, answer.url) : undefined;
  if (next?.origin !== answer.url.origin)
    throw new WaybillError("WB-NET-002", `${shownUrl(answer.url)} continues on another server`, {
      hint: "the registry is set up wrongly",
    });
  return next;
}
