import type { Json } from "../../core/canonical-json.ts";
import { safeText } from "../../core/safe-text.ts";
import { parseStrictJson } from "../../core/strict-json.ts";

/** Largest token that is read, in bytes. */
export const MAX_TOKEN_BYTES = 16_384;

/** Clocks of two machines may differ by so much, in milliseconds. */
const CLOCK_SKEW = 60_000;

/** An OpenID Connect identity token (JWT, RFC 7519; ID Token, OpenID Connect Core 1.0 §2). Its signature is Fulcio's affair. */
export interface IdentityToken {
  /** The compact form. A secret: never print it. */
  token: string;
  /** `iss`. */
  issuer: string;
  /** What Fulcio has signed as proof of possession: the confirmed e-mail address, else `sub`. */
  subject: string;
  /** `aud`, for people. */
  audiences: string[];
  /** `exp`, in milliseconds since 1970. */
  expires: number;
}

/**
 * Reads an identity token: three base64url parts, an object each in the first two, signed by an algorithm, not expired,
 * already valid, with an issuer and a subject; an e-mail address counts only when its issuer confirmed it. White space
 * around the token is left out.
 *
 * @param now in milliseconds since 1970
 * @returns the token, or why it cannot be used, without any part of it that is secret. Never throws.
 */
export function parseIdentityToken(text: string, now: number): IdentityToken | { problem: string } {
  const token = text.trim();
  if (token === "") return { problem: "it is empty" };
  if (token.length > MAX_TOKEN_BYTES) return { problem: `it is longer than ${MAX_TOKEN_BYTES} bytes` };
  const parts = token.split(".");
  if (parts.length !== 3 || !parts.every((part) => /^[A-Za-z0-9_-]+$/.test(part)))
    return { problem: "it is not a JWT: three base64url parts with dots between are wanted" };
  const header = objectOf(parts[0]!);
  const claims = objectOf(parts[1]!);
  if (!header || !claims) return { problem: "it is not a JWT: its parts are no JSON objects" };
  if (typeof header.alg !== "string" || header.alg.toLowerCase() === "none")
    return { problem: "it is not signed" };
  const { iss, sub, email, email_verified: confirmed, exp, nbf, aud } = claims;
  if (typeof iss !== "string" || iss === "") return { problem: "it names no issuer (iss)" };
  if (typeof exp !== "number") return { problem: "it says no time of expiry (exp)" };
  if (exp * 1000 <= now) return { problem: `it expired ${ago(now - exp * 1000)} ago` };
  if (typeof nbf === "number" && nbf * 1000 > now + CLOCK_SKEW)
    return { problem: "it is not valid yet (nbf): check this machine's clock" };
  const subject = typeof email === "string" && email !== "" ? email : sub;
  if (subject === email && email !== undefined && confirmed !== true && confirmed !== "true")
    return { problem: "its e-mail address is not confirmed (email_verified)" };
  if (typeof subject !== "string" || subject === "") return { problem: "it names no subject (sub)" };
  const audiences = (Array.isArray(aud) ? aud : [aud]).filter((one) => typeof one === "string");
  return { token, issuer: iss, subject, audiences, expires: exp * 1000 };
}

/** A token in one line for people: who, by whom, for whom; nothing secret. */
export function describeToken({ issuer, subject, audiences }: IdentityToken): string {
  const short = (text: string) => safeText(text.slice(0, 200));
  return `${short(subject)} by ${short(issuer)}, for ${short(audiences.join(", ")) || "nobody"}`;
}

function objectOf(part: string): { [key: string]: Json } | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(part, "base64url"));
    const value = parseStrictJson(text, { maxBytes: MAX_TOKEN_BYTES, maxDepth: 16 });
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function ago(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  if (minutes < 1) return `${Math.max(1, Math.round(ms / 1000))} seconds`;
  if (minutes < 120) return `${minutes} minutes`;
  return minutes < 48 * 60 ? `${Math.round(minutes / 60)} hours` : `${Math.round(minutes / 1440)} days`;
}
