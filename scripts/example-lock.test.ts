import assert from "node:assert/strict";
import { test } from "node:test";
import { committedLock, makeExampleLock } from "./example-lock.ts";

test("the example locks to the committed bytes on this machine too", () => {
  assert.equal(makeExampleLock(), committedLock());
});
