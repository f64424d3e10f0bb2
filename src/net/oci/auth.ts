import type { Json } from "../../core/canonical-json.ts";
import { WaybillError } from "../../core/errors.ts";
import { safeText } from "../../core/safe-text.ts";
import { parseStrictJson } from "../../core/strict-json.ts";
import { refusedBy } from "../answer.ts";
import type { HttpAnswer, HttpClient } from "../http.ts";
import { isLoopback } from "../loopback.ts";
import { shownUrl } from "../safe-url.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import type { Credentials } from "./credentials.ts";

const MAX_TOKEN_ANSWER = 256 << 10;

/** What can stand in a header (RFC 6750 §2.1); anything else would be an error of fetch, with the token in its message. */
const BEARER = /^[A-Za-z0-9._~+/=-]+$/;

/** Who asks a registry for what. */
export interface AuthOptions {
  http: HttpClient;
  /** The registry's origin: scheme, host and port. */
  origin: URL;
  /** Asked once, when the registry wants to know. */
  credentials: () => Promise<Credentials | undefined>;
  /** Hosts of token services beside the registry's own domain that may see its credentials. */
  realms?: ReadonlySet<string>;
}

/**
 * Answers a registry's challenges: Basic (RFC 7617), or a Bearer token fetched from the token service that it
 * names (distribution's "Token Authentication Specification"; OAuth 2 for identity tokens). Tokens are kept for
 * this process, a scope each.
 */
export class RegistryAuth {
  private readonly options: AuthOptions;
  private readonly headers = new Map<string, string>();
  private asked: Promise<Credentials | undefined> | undefined;

  constructor(options: AuthOptions) {
    this.options = options;
  }

  /** What to send along with a request of this scope, as far as it is known. */
  header(scope: string): string | undefined {
    return this.headers.get(scope) ?? this.headers.get("*");
  }

  /**
   * Makes the header that a 401 asks for.
   *
   * @param scope what is to be done, such as `repository:team/agent:pull`
   * @returns false when there is nothing else to show than what was refused
   * @throws WaybillError WB-NET-002 a challenge that is not understood, WB-NET-003 the token service refuses,
   *   WB-NET-006 a token service that must not see the credentials
   */
  async answer(refusal: HttpAnswer, scope: string): Promise<boolean> {
    const challenges = parseChallenges(refusal.headers.get("www-authenticate") ?? "");
    const bearer = challenges.find(({ scheme }) => scheme === "bearer");
    const before = this.header(scope);
    if (bearer) {
      this.headers.set(scope, `Bearer ${await this.token(bearer, scope)}`);
    } else if (challenges.some(({ scheme }) => scheme === "basic")) {
      const credentials = await this.credentials();
      if (credentials?.kind !== "password") return false;
      this.headers.set("*", basic(credentials.user, credentials.password));
    } else throw refusedBy(refusal, "logging in");
    return this.header(scope) !== before;
  }

  private credentials(): Promise<Credentials | undefined> {
    this.asked ??= this.options.credentials();
    return this.asked;
  }

  private async token(challenge: Challenge, scope: string): Promise<string> {
    const credentials = await this.credentials();
    if (credentials?.kind === "bearer") {
      if (BEARER.test(credentials.token)) return credentials.token;
      throw new WaybillError("WB-NET-003", `the token for ${safeText(this.options.origin.host)} is none`, {
        hint: "log in again with `docker login` or `podman login`",
      });
    }
    const realm = this.realm(challenge, credentials !== undefined);
    const service = challenge.parameters.service;
    // Our own scope, not the one that the server asks for: it could ask for more than the job needs.
    const answer =
      credentials?.kind === "identity"
        ? await this.refresh(realm, credentials.token, service, scope)
        : await this.fetchToken(realm, credentials, service, scope);
    if (answer.status !== 200) throw refusedBy(answer, "asking for a token");
    return tokenOf(answer);
  }

  private async fetchToken(
    realm: URL,
    credentials: Extract<Credentials, { kind: "password" }> | undefined,
    service: string | undefined,
    scope: string,
  ): Promise<HttpAnswer> {
    const url = new URL(realm);
    if (service !== undefined) url.searchParams.set("service", service);
    url.searchParams.set("scope", scope);
    const headers = credentials ? { authorization: basic(credentials.user, credentials.password) } : {};
    return this.options.http.request({ method: "GET", url, headers, maxBytes: MAX_TOKEN_ANSWER });
  }

  private async refresh(
    realm: URL,
    token: string,
    service: string | undefined,
    scope: string,
  ): Promise<HttpAnswer> {
    const form = new URLSearchParams({
      grant_type: "refresh_token",
      refresh_token: token,
      client_id: "waybill",
      scope,
      ...(service === undefined ? {} : { service }),
    });
    return this.options.http.request({
      method: "POST",
      url: realm,
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: Buffer.from(form.toString()),
      secrets: [token],
      maxBytes: MAX_TOKEN_ANSWER,
    });
  }

  /** The token service. Only one of the registry's own domain, or one that the operator named, sees credentials. */
  private realm(challenge: Challenge, withCredentials: boolean): URL {
    const { realm } = challenge.parameters;
    const { origin, realms } = this.options;
    if (realm === undefined || !URL.canParse(realm))
      throw new WaybillError("WB-NET-002", `${safeText(origin.host)} names no token service`, {
        hint: "is this a registry?",
      });
    const url = new URL(realm);
    if (isLoopback(url.hostname) && !isLoopback(origin.hostname)) throw this.foreign(url);
    const plain = isLoopback(origin.hostname) || this.options.http.plainHosts.has(url.host);
    if (url.protocol !== "https:" && !plain) throw this.foreign(url);
    if (withCredentials && !sameDomain(url, origin) && realms?.has(url.host) !== true)
      throw this.foreign(url);
    return url;
  }

  private foreign(realm: URL): WaybillError {
    const { host } = this.options.origin;
    return new WaybillError(
      "WB-NET-006",
      `${safeText(host)} sends its callers for a token to ${shownUrl(realm)}, which must not see its credentials`,
      { hint: `if that is meant: WAYBILL_REGISTRY_REALMS=${safeText(realm.host)}` },
    );
  }
}

/** True for one host, for two of one parent domain (auth.example.com for registry.example.com), and for this machine. */
export function sameDomain(a: URL, b: URL): boolean {
  if (a.hostname === b.hostname) return true;
  if (isLoopback(a.hostname) && isLoopback(b.hostname)) return true;
  // An address has no domain.
  if (/^[\d.]+$|^\[/.test(a.hostname) || /^[\d.]+$|^\[/.test(b.hostname)) return false;
  const [x, y] = [a.hostname, b.hostname].map((name) => name.split(".").slice(-2).join("."));
  return x === y && x!.includes(".");
}

function tokenOf(answer: HttpAnswer): string {
  let data: Json;
  try {
    data = parseStrictJson(answer.body.toString("utf8"), { maxBytes: MAX_TOKEN_ANSWER, maxDepth: 16 });
  } catch (cause) {
    throw noToken(answer, cause);
  }
  const fields = typeof data === "object" && data !== null && !Array.isArray(data) ? data : {};
  const token = fields.token ?? fields.access_token;
  if (typeof token !== "string" || !BEARER.test(token)) throw noToken(answer);
  return token;
}

function noToken(answer: HttpAnswer, cause?: unknown): WaybillError {
  return new WaybillError("WB-NET-002", `${shownUrl(answer.url)} gave no token`, {
    hint: "the registry's token service is set up wrongly",
    ...(cause === undefined ? {} : { cause }),
  });
}

function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`, "utf8").toString("base64")}`;
}
