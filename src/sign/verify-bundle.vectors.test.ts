import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { sigstoreSuite } from "../../scripts/conformance/sigstore.ts";

const vectors = process.env.WAYBILL_VECTORS;
const skip = vectors === undefined ? "WAYBILL_VECTORS is not set" : false;

test("the sigstore-conformance cases of bundle-verify come out as labelled", { skip }, async () => {
  const { passed, failed } = await sigstoreSuite(join(vectors ?? "", "sigstore-conformance/bundle-verify"));
  assert.deepEqual(failed, []);
  assert.ok(passed > 0);
});
