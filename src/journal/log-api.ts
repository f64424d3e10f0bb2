import { join } from "node:path";
import type { Json } from "../core/canonical-json.ts";
import { WaybillError } from "../core/errors.ts";
import { MAX_BUNDLE, parseTilePath } from "../core/tlog-tiles.ts";
import { readFileBounded } from "../hash/read-file.ts";
import { verifyPrehashed } from "../sign/prehash.ts";
import type { Entry } from "./entry.ts";
import { CHECKPOINT_FILE } from "./reader.ts";
import { MAX_REQUEST, parseCreateEntry } from "./rekor-request.ts";

/** What the API needs of the service around it. */
export interface LogService {
  /** The journal's folder, whose checkpoint and tiles are served as they are. */
  folder: string;
  /** Name of the principal whose key or certificate this is; a sentence for the client where trust names none. */
  principalOf(entry: Entry): { principal: string } | { problem: string };
  /** True for an entry that is in the log. */
  isKnown(body: string): boolean;
  /** Logs an entry that was verified; gives its TransparencyLogEntry. One that is known is not logged again. */
  append(body: string, entry: Entry): Promise<Json>;
  /** Makes an access durable before it is answered. */
  observe(access: {
    who: string;
    what: string;
    object: string;
    outcome: "served" | "refused";
  }): Promise<void>;
  /** A refusal of somebody unknown is counted and nothing else. */
  countRefusal(): void;
}

/** google.rpc.Code of each status that is answered (googleapis, google/rpc/code.proto). */
const RPC_CODES: Readonly<Record<number, number>> = { 400: 3, 403: 7, 404: 5, 405: 12, 413: 8, 503: 14 };

/**
 * The journal over HTTP: Rekor v2's `POST /api/v2/log/entries` (rekor-tiles, rekor_service.proto) for makers whom trust
 * names, and its checkpoint and tiles for everyone, below `/api/v2/` as Rekor has them and at the root as C2SP
 * tlog-tiles does. Reading what is public is not recorded; whoever writes is.
 */
export function logApi(service: LogService): (request: Request) => Promise<Response> {
  return async (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/api/v2/log/entries")
      return request.method === "POST" ? addEntry(service, request) : refuse(405, "POST an entry here");
    if (pathname.startsWith("/api/v1/"))
      return refuse(404, "this log has Rekor's API of version 2: /api/v2/log/entries");
    if (request.method !== "GET" && request.method !== "HEAD") return refuse(405, "only GET is served here");
    const path = pathname.replace(/^\/(?:api\/v2\/)?/, "");
    if (path === "healthz") return new Response("ok\n");
    if (path === CHECKPOINT_FILE) return file(service, path, "text/plain; charset=utf-8", "no-cache");
    const tile = parseTilePath(path);
    if ("problem" in tile) return refuse(404, "no such path");
    return file(service, path, "application/octet-stream", "max-age=31536000, immutable");
  };
}

async function addEntry(service: LogService, request: Request): Promise<Response> {
  const text = await bounded(request);
  if (text === null) return counted(service, 413, `a request has at most ${MAX_REQUEST} bytes`);
  const parsed = parseCreateEntry(text);
  if ("problem" in parsed) return counted(service, 400, parsed.problem);
  const { body, entry } = parsed;
  const who = service.principalOf(entry);
  // Before the signature is looked at: whoever is unknown must not keep the service computing.
  if ("problem" in who) return counted(service, 403, who.problem);
  const invalid = await verifyPrehashed(entry.digest, entry.signature, entry.publicKey);
  // Anyone can name a key: without its signature nobody is known, and nothing is written in a principal's name.
  if (invalid !== null) return counted(service, 400, invalid);
  const access = { who: who.principal, what: "add-entry", object: entry.digest.toString("hex") };
  try {
    // What is in the log can be sent again by anyone who has read it there: it is answered, and is no access.
    const known = service.isKnown(body);
    if (!known) await service.observe({ ...access, outcome: "served" });
    try {
      return Response.json(await service.append(body, entry), { status: 201 });
    } catch (error) {
      if (!known && error instanceof WaybillError) await service.observe({ ...access, outcome: "refused" });
      throw error;
    }
  } catch (error) {
    if (!(error instanceof WaybillError)) throw error;
    // Its message has paths of this machine.
    return refuse(503, `the journal cannot take an entry now (${error.code}); send it again later`);
  }
}

async function bounded(request: Request): Promise<string | null> {
  const bytes: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.length;
    if (size > MAX_REQUEST) return null;
    bytes.push(chunk);
  }
  return Buffer.concat(bytes).toString("utf8");
}

function file(service: LogService, path: string, type: string, cache: string): Response {
  try {
    const bytes = readFileBounded(join(service.folder, path), MAX_BUNDLE);
    return new Response(Uint8Array.from(bytes), {
      headers: { "content-type": type, "cache-control": cache, "x-content-type-options": "nosniff" },
    });
  } catch (error) {
    if (!(error instanceof WaybillError)) throw error;
    return refuse(404, "there is no such tile in this log");
  }
}

function counted(service: LogService, status: number, message: string): Response {
  service.countRefusal();
  return refuse(status, message);
}

/** In the form of gRPC's HTTP gateway, which Rekor's clients show to people: google.rpc.Status. */
function refuse(status: number, message: string): Response {
  return Response.json({ code: RPC_CODES[status] ?? 2, message, details: [] }, { status });
}
