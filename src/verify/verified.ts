import type { Release } from "../core/release.ts";
import type { SignedBy } from "../core/verdict.ts";

declare const brand: unique symbol;

/** A value that `verify()` has made after every step passed; nothing else can make one. */
export interface Verified<T> {
  readonly [brand]: "verified";
  readonly value: T;
  /** Principals whose signatures count. */
  readonly signedBy: readonly SignedBy[];
  /** The earliest of the trust policy's and the channel's ends, in milliseconds since 1970. */
  readonly validUntil: number;
}

const made = new WeakSet<object>();

/** For `verify()` alone. */
export function markVerified(
  value: Release,
  signedBy: readonly SignedBy[],
  validUntil: number,
): Verified<Release> {
  const verified = Object.freeze({ value, signedBy, validUntil }) as unknown as Verified<Release>;
  made.add(verified);
  return verified;
}

/** True for what `verify()` made: a cast to the type is not enough. */
export function isVerified(value: unknown): value is Verified<Release> {
  return typeof value === "object" && value !== null && made.has(value);
}
