import { WaybillError } from "../core/errors.ts";
import { safeText } from "../core/safe-text.ts";
import { collect, DEFAULT_PACE, type Pace, watchedBody } from "./body.ts";
import { type Clock, SYSTEM_CLOCK } from "./clock.ts";
import { redacted, secretsOf } from "./redact.ts";
import { assertSafeUrl, shownUrl } from "./safe-url.ts";

/** What brings a request to a server: `fetch`, or a test's own. */
export type Transport = (url: string, init: RequestInit & { duplex?: "half" }) => Promise<Response>;

export interface HttpOptions {
  transport?: Transport;
  clock?: Clock;
  /** Hosts (`name` or `name:port`) beside this machine to which plain http is accepted. */
  plainHttp?: ReadonlySet<string>;
  /** Ends everything. */
  signal?: AbortSignal;
  pace?: Pace;
  /** Until the headers of an answer must be there; 30 s. */
  headersMs?: number;
  /** Tries of a request that may be repeated; 4. */
  attempts?: number;
}

export interface HttpRequest {
  method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  url: URL;
  headers?: Readonly<Record<string, string>>;
  /** Bytes, or a function that gives them from the start each time it is called. */
  body?: Uint8Array | (() => AsyncIterable<Uint8Array>);
  /** Whether it may be sent again after a failure; true for GET and HEAD unless said. */
  repeat?: boolean;
  /** Largest answer in bytes; 4 MiB. */
  maxBytes?: number;
  /** What stands in the body and must not be shown where the answer repeats it. */
  secrets?: readonly string[];
}

/** An answer whose body is still to come. Read it to the end, or call `discard`. */
export interface HttpStream {
  status: number;
  headers: Headers;
  /** Where it came from, after redirects. */
  url: URL;
  chunks: AsyncIterable<Uint8Array>;
  discard(): void;
}

export interface HttpAnswer {
  status: number;
  headers: Headers;
  url: URL;
  body: Buffer;
}

const MAX_REDIRECTS = 5;
const MAX_ANSWER = 4 << 20;
const MAX_REFUSAL = 65_536;
/** Longest wait that a server may ask for, in milliseconds. */
const MAX_WAIT = 60_000;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const BUSY = new Set([429, 500, 502, 503, 504]);
/** Headers that are for one server only. */
const SECRET = new Set(["authorization", "cookie", "proxy-authorization"]);

/**
 * HTTP for whoever talks to a server of unknown temper: https only (`assertSafeUrl`), limits on time, size and
 * redirects, no credentials to another origin than the one they were given for, no step down from https, and
 * patience with servers that are busy (429 and 5xx with Retry-After, RFC 9110 §10.2.3).
 */
export class HttpClient {
  private readonly transport: Transport;
  private readonly clock: Clock;
  private readonly plainHttp: ReadonlySet<string>;
  private readonly signal: AbortSignal | undefined;
  private readonly pace: Pace;
  private readonly headersMs: number;
  private readonly attempts: number;

  constructor(options: HttpOptions = {}) {
    this.transport = options.transport ?? ((url, init) => fetch(url, init));
    this.clock = options.clock ?? SYSTEM_CLOCK;
    this.plainHttp = options.plainHttp ?? new Set();
    this.signal = options.signal;
    this.pace = options.pace ?? DEFAULT_PACE;
    this.headersMs = options.headersMs ?? 30_000;
    this.attempts = options.attempts ?? 4;
  }

  /** Hosts to which plain http is accepted. */
  get plainHosts(): ReadonlySet<string> {
    return this.plainHttp;
  }

  /**
   * Sends a request and reads the whole answer, whatever its status.
   *
   * @throws WaybillError WB-NET-001 unreachable or too slow, WB-NET-002 redirects that lead nowhere, WB-NET-004
   *   larger than `maxBytes`, WB-NET-006 an unsafe address
   */
  async request(request: HttpRequest): Promise<HttpAnswer> {
    const repeat = request.repeat ?? (request.method === "GET" || request.method === "HEAD");
    for (let attempt = 1; ; attempt += 1) {
      const last = !repeat || attempt >= this.attempts;
      try {
        const { status, headers, url, chunks } = await this.once(request);
        const bytes = await collect(chunks);
        const body = status < 400 ? bytes : redacted(bytes, requestSecrets(request));
        if (last || !BUSY.has(status)) return { status, headers, url, body };
        if (!(await this.pause(attempt, headers.get("retry-after")))) return { status, headers, url, body };
      } catch (error) {
        this.signal?.throwIfAborted();
        if (last || (error instanceof WaybillError && error.code !== "WB-NET-001"))
          throw unreachable(request.url, error);
        await this.pause(attempt, null);
      }
    }
  }

  /**
   * Sends a request whose answer is read piece by piece; repeated only until its headers are there.
   *
   * @throws WaybillError as `request`; the chunks throw WB-NET-001 and WB-NET-004
   */
  async stream(request: HttpRequest): Promise<HttpStream> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const answer = await this.once(request);
        if (attempt >= this.attempts || !BUSY.has(answer.status)) return answer;
        if (!(await this.pause(attempt, answer.headers.get("retry-after")))) return answer;
        answer.discard();
      } catch (error) {
        this.signal?.throwIfAborted();
        const unreached = !(error instanceof WaybillError) || error.code === "WB-NET-001";
        if (attempt >= this.attempts || !unreached) throw unreachable(request.url, error);
        await this.pause(attempt, null);
      }
    }
  }

  /** One try, redirects followed. */
  private async once(request: HttpRequest): Promise<HttpStream> {
    let { url } = request;
    let headers = { ...request.headers };
    for (let hops = 0; ; hops += 1) {
      const answer = await this.send({ ...request, url, headers });
      const location = answer.headers.get("location");
      if (!REDIRECTS.has(answer.status) || location === null) return answer;
      answer.discard();
      if (hops >= MAX_REDIRECTS) throw badRedirect(url, `more than ${MAX_REDIRECTS} redirects`);
      const next = URL.canParse(location, url) ? new URL(location, url) : undefined;
      if (!next) throw badRedirect(url, "a redirect to nowhere");
      const reading = request.method === "GET" || request.method === "HEAD";
      // A body is given to nobody else than the server that it was meant for.
      if (!reading && (next.origin !== url.origin || (answer.status !== 307 && answer.status !== 308)))
        throw badRedirect(url, `a redirect of a ${request.method} to ${safeText(next.host)}`);
      if (url.protocol === "https:" && next.protocol !== "https:")
        throw new WaybillError("WB-NET-006", `${shownUrl(url)} leads from https to ${shownUrl(next)}`, {
          hint: "the server is set up wrongly, or somebody is in between",
        });
      if (next.origin !== url.origin)
        headers = Object.fromEntries(
          Object.entries(headers).filter(([name]) => !SECRET.has(name.toLowerCase())),
        );
      url = next;
    }
  }

  private async send(request: HttpRequest): Promise<HttpStream> {
    const { url, method } = request;
    assertSafeUrl(url, this.plainHttp);
    this.signal?.throwIfAborted();
    const own = new AbortController();
    const abort = (reason: unknown) => own.abort(reason);
    const signal = this.signal ? AbortSignal.any([this.signal, own.signal]) : own.signal;
    // A large body may take its time: only a server that stops taking it, or that is silent after it, is given up.
    let timer = setTimeout(() => abort(new Error("no answer")), this.headersMs);
    let answered = false;
    const again = () => {
      clearTimeout(timer);
      // What is still read of a body after the answer came must not keep the process waiting.
      if (!answered) timer = setTimeout(() => abort(new Error("no answer")), this.headersMs);
    };
    let response: Response;
    try {
      response = await this.transport(url.href, {
        method,
        // Compressed bytes could not be counted, resumed or compared with a digest.
        headers: { "user-agent": "waybill", "accept-encoding": "identity", ...request.headers },
        redirect: "manual",
        signal,
        ...(request.body === undefined ? {} : bodyOf(request.body, again)),
      });
    } catch (cause) {
      if (own.signal.aborted)
        throw new WaybillError("WB-NET-001", `${safeText(url.host)} gave no answer in ${this.headersMs} ms`, {
          hint: "is the server up? try again later",
          cause,
        });
      throw cause;
    } finally {
      answered = true;
      clearTimeout(timer);
    }
    // What a refusal or a redirect says of itself is not the thing that was asked for, which may be two bytes.
    const { maxBytes = MAX_ANSWER } = request;
    const limit = response.ok ? maxBytes : Math.max(maxBytes, MAX_REFUSAL);
    const announced = Number(response.headers.get("content-length") ?? 0);
    if (method !== "HEAD" && announced > limit) {
      abort(new Error("too large"));
      throw new WaybillError(
        "WB-NET-004",
        `${safeText(url.host)} announces ${announced} bytes; at most ${limit} are read`,
        { hint: "is this the right server?" },
      );
    }
    const what = safeText(url.host);
    const chunks = watchedBody(response.body as ReadableStream<Uint8Array> | null, {
      limit,
      pace: this.pace,
      abort,
      what,
    });
    return {
      status: response.status,
      headers: response.headers,
      url,
      chunks,
      discard: () => abort(new Error("no longer wanted")),
    };
  }

  /** Waits before the next try; false where the server asks for more patience than there is. */
  private async pause(attempt: number, retryAfter: string | null): Promise<boolean> {
    const asked = retryAfter === null ? undefined : waitOf(retryAfter, this.clock.now());
    if (asked !== undefined && asked > MAX_WAIT) return false;
    // Half of it by chance, so that many clients do not come back at the same moment.
    const backoff = 500 * 2 ** (attempt - 1) * (0.5 + Math.random() / 2);
    await this.clock.sleep(asked ?? backoff, this.signal);
    return true;
  }
}

/** What a request holds that must not be shown where an answer repeats it. */
export function requestSecrets({ headers, secrets = [] }: HttpRequest): string[] {
  return [...secretsOf(headers?.authorization), ...secrets];
}

function bodyOf(
  body: NonNullable<HttpRequest["body"]>,
  taken: () => void,
): RequestInit & { duplex?: "half" } {
  if (typeof body !== "function") return { body: body as Uint8Array<ArrayBuffer> };
  const stream = ReadableStream.from(observed(body(), taken)) as unknown as NonNullable<RequestInit["body"]>;
  return { body: stream, duplex: "half" };
}

async function* observed(chunks: AsyncIterable<Uint8Array>, taken: () => void): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    taken();
    yield chunk;
  }
}

/** Seconds, or a date (RFC 9110 §10.2.3); undefined for anything else. */
function waitOf(retryAfter: string, now: number): number | undefined {
  if (/^\d{1,9}$/.test(retryAfter)) return Number(retryAfter) * 1000;
  const date = Date.parse(retryAfter);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

function badRedirect(url: URL, what: string): WaybillError {
  return new WaybillError("WB-NET-002", `${shownUrl(url)}: ${what}`, { hint: "is this the right address?" });
}

function unreachable(url: URL, error: unknown): unknown {
  if (error instanceof WaybillError) return error;
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const { code, message } = cause as NodeJS.ErrnoException;
  return new WaybillError(
    "WB-NET-001",
    `${safeText(url.host)} cannot be reached: ${safeText(String(code ?? message).slice(0, 200))}`,
    { hint: "check the name, the network and the proxy settings", cause: error },
  );
}
