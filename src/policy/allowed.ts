import type { Door } from "../core/finding.ts";
import type { Release } from "../core/release.ts";

declare const brand: unique symbol;

/** A release that `decide()` has let through a door; `act/` accepts nothing else. */
export interface Allowed<T> {
  readonly [brand]: "allowed";
  readonly value: T;
  readonly door: Door;
  readonly target: string;
  /** Milliseconds since 1970. */
  readonly validUntil: number;
}

const made = new WeakSet<object>();

/** For `decide()` alone. */
export function markAllowed(
  value: Release,
  at: { door: Door; target: string; validUntil: number },
): Allowed<Release> {
  const allowed = Object.freeze({ value, ...at }) as unknown as Allowed<Release>;
  made.add(allowed);
  return allowed;
}

/**
 * Refuses, as a bug, whatever `decide()` did not make or is past its end: a cast to the type is not enough.
 *
 * @param now milliseconds since 1970
 * @throws TypeError when it is not an allowed release, or no longer
 */
export function assertAllowed(value: Allowed<Release>, door: Door, now: number): void {
  if (!made.has(value)) throw new TypeError("this release did not come from decide()");
  if (value.door !== door) throw new TypeError(`allowed at ${value.door}, used at ${door}`);
  if (now >= value.validUntil) throw new TypeError("this permission has ended");
}
