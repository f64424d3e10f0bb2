import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

/** A registry in memory, with the referrers API that no other one here has; and ways to make it misbehave. */
export interface MemoryRegistry {
  /** `127.0.0.1:PORT`. */
  host: string;
  /** By digest, `sha256:…`. */
  blobs: Map<string, Buffer>;
  /** By `repository/tag` and `repository/sha256:…`. */
  manifests: Map<string, { bytes: Buffer; type: string }>;
  /** Requests so far, `METHOD /path`. */
  log: string[];
  /** Called first; one that gives true has answered. */
  before: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined;
  /** Referrers a page. */
  pageSize: number;
  stop(): void;
}

/** Starts one on a free port of 127.0.0.1. */
export async function memoryRegistry(): Promise<MemoryRegistry> {
  const uploads = new Map<string, Buffer>();
  const server = createServer(
    (request, response) => void answer(request, response).catch(() => response.destroy()),
  );
  const registry: MemoryRegistry = {
    host: "",
    blobs: new Map(),
    manifests: new Map(),
    log: [],
    before: undefined,
    pageSize: 2,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method } = request;
    const url = new URL(request.url!, `http://${registry.host}`);
    registry.log.push(`${method} ${url.pathname}`);
    if (registry.before?.(request, response)) return;
    const body = await bodyOf(request);
    const send = (status: number, headers: Record<string, string> = {}, bytes: Buffer | string = "") => {
      response.writeHead(status, { "content-length": String(Buffer.byteLength(bytes)), ...headers });
      response.end(method === "HEAD" ? undefined : bytes);
    };
    const [, repository, kind, name] =
      /^\/v2\/(.+)\/(manifests|blobs\/uploads|blobs|referrers)\/([^/]*)$/.exec(url.pathname) ?? [];
    if (repository === undefined) return send(404);
    if (kind === "blobs/uploads") {
      if (method === "POST") {
        const id = String(uploads.size + 1);
        uploads.set(id, Buffer.alloc(0));
        return send(202, { location: `/v2/${repository}/blobs/uploads/${id}` });
      }
      const all = Buffer.concat([uploads.get(name!)!, body]);
      uploads.set(name!, all);
      const range = { location: url.pathname, range: `0-${Math.max(0, all.length - 1)}` };
      if (method === "PATCH") return send(202, range);
      if (method === "GET") return send(204, range);
      const digest = `sha256:${hashOf(all)}`;
      if (url.searchParams.get("digest") !== digest)
        return send(400, {}, '{"errors":[{"code":"DIGEST_INVALID"}]}');
      registry.blobs.set(digest, all);
      return send(201);
    }
    if (kind === "blobs") {
      const blob = registry.blobs.get(name!);
      const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
      if (!blob) return send(404);
      if (from === 0) return send(200, {}, blob);
      return send(
        206,
        { "content-range": `bytes ${from}-${blob.length - 1}/${blob.length}` },
        blob.subarray(from),
      );
    }
    if (kind === "manifests") {
      if (method === "PUT") {
        const stored = { bytes: body, type: request.headers["content-type"]! };
        const digest = `sha256:${hashOf(body)}`;
        for (const each of [name!, digest]) registry.manifests.set(`${repository}/${each}`, stored);
        const subject = JSON.parse(body.toString()).subject?.digest;
        return send(201, { "docker-content-digest": digest, ...(subject ? { "oci-subject": subject } : {}) });
      }
      const found = registry.manifests.get(`${repository}/${name}`);
      return found ? send(200, { "content-type": found.type }, found.bytes) : send(404);
    }
    const listed = [...registry.manifests]
      .filter(
        ([key, { bytes }]) =>
          key.includes("/sha256:") && JSON.parse(bytes.toString()).subject?.digest === name,
      )
      .map(([key, { bytes, type }]) => ({
        mediaType: type,
        digest: key.slice(key.indexOf("sha256:")),
        size: bytes.length,
      }));
    const from = Number(url.searchParams.get("from") ?? 0);
    const index = {
      schemaVersion: 2,
      mediaType: INDEX,
      manifests: listed.slice(from, from + registry.pageSize),
    };
    const next = from + registry.pageSize;
    const link = next < listed.length ? { link: `<${url.pathname}?from=${next}>; rel="next"` } : {};
    send(200, { "content-type": INDEX, ...link }, JSON.stringify(index));
  }

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  registry.host = `127.0.0.1:${(server.address() as { port: number }).port}`;
  return registry;
}

const INDEX = "application/vnd.oci.image.index.v1+json";

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

function hashOf(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
