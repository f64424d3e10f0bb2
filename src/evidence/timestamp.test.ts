import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseTimestamp, timestamp } from "./timestamp.ts";

test("every date that JavaScript prints is read as itself", () => {
  const years = {
    min: new Date("0001-01-01T00:00:00Z"),
    max: new Date("9999-12-31T23:59:59Z"),
    noInvalidDate: true,
  };
  fc.assert(fc.property(fc.date(years), (date) => parseTimestamp(date.toISOString()) === date.getTime()));
  assert.equal(parseTimestamp("2027-06-01T00:00:00Z"), Date.UTC(2027, 5, 1));
  assert.equal(parseTimestamp("2024-02-29T00:00:00.5Z"), Date.UTC(2024, 1, 29, 0, 0, 0, 500));
});

test("other spellings and days that do not exist are refused", () => {
  for (const text of [
    "2026-02-30T00:00:00Z",
    "2025-02-29T00:00:00Z",
    "2026-04-31T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-01-01T24:00:00Z",
    "2016-12-31T23:59:60Z",
    "2026-01-01T00:00:00+00:00",
    "2026-01-01T00:00:00",
    "2026-01-01t00:00:00z",
    "2026-01-01 00:00:00Z",
    "2026-01-01",
    "2026-01-01T00:00Z",
    "2026-01-01T00:00:00.1234Z",
    "+002026-01-01T00:00:00Z",
    "2026-01-01T00:00:00Z\n",
    "",
  ]) {
    assert.equal(parseTimestamp(text), undefined, text);
    assert.equal(timestamp.safeParse(text).success, false, text);
  }
});
