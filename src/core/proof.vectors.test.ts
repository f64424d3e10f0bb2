import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { merkleSuite } from "../../scripts/conformance/merkle.ts";

const vectors = process.env.WAYBILL_VECTORS;
const skip = vectors === undefined ? "WAYBILL_VECTORS is not set" : false;

test("the proof cases of transparency-dev/merkle", { skip }, async () => {
  const { passed, failed } = await merkleSuite(join(vectors ?? "", "merkle"));
  assert.deepEqual(failed, []);
  assert.ok(passed > 0);
});
