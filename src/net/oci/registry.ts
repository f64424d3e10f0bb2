import { type Hex, sha256 } from "../../core/digest.ts";
import { WaybillError } from "../../core/errors.ts";
import { safeText } from "../../core/safe-text.ts";
import { assertType, refusedBy } from "../answer.ts";
import type { HttpAnswer, HttpClient, HttpRequest, HttpStream } from "../http.ts";
import { isLoopback } from "../loopback.ts";
import { RegistryAuth } from "./auth.ts";
import type { Credentials } from "./credentials.ts";
import {
  assertHeaderDigest,
  blobStart,
  JSON_TYPE,
  nextPage,
  type RegistryManifest,
  readManifest,
  whole,
} from "./registry-answers.ts";

/** Largest manifest, in bytes (OCI distribution-spec v1.1: registries should take 4 MiB). */
export const MAX_MANIFEST = 4 << 20;

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
    const request: HttpRequest = { method: "GET", url: this.url(path), headers, maxBytes: size };
    const answer = await this.streamed(request);
    const opened = blobStart(answer, from, size);
    if (opened) return opened;
    if (answer.status === 404) {
      answer.discard();
      return undefined;
    }
    throw refusedBy(await whole(answer, this.authorized(request, this.scope("GET"))), "reading a blob");
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
    const sent = this.authorized(request, scope);
    const answer = await this.http.stream(sent);
    if (answer.status !== 401) return answer;
    const refusal = await whole(answer, sent);
    if (!(await this.auth.answer(refusal, scope))) throw refusedBy(refusal, "reading a blob");
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
