import assert from "node:assert/strict";
import { test } from "node:test";
import { isBuilt, versionOf } from "./build.ts";
import { TOOL_NAMES, tool } from "./find.ts";
import { PARTS } from "./parts.ts";

test("the programs that tests run against are there; what is not tested without them is said", (t) => {
  for (const part of PARTS) {
    if (tool(part.name) === undefined)
      t.diagnostic(`not tested, ${part.name} is missing: ${part.why} (npm run toolbox -- ${part.name})`);
    else if (!isBuilt(part))
      t.diagnostic(`${part.name} is another one than ${versionOf(part)}: npm run toolbox -- ${part.name}`);
  }
  const missing = PARTS.filter(({ name }) => tool(name) === undefined).map(({ name }) => name);
  if (process.env.WAYBILL_REQUIRE_TOOLBOX) assert.deepEqual(missing, []);
});

test("every name of the toolbox has one part, and every version is exact", () => {
  assert.deepEqual(PARTS.map(({ name }) => name).toSorted(), [...TOOL_NAMES].toSorted());
  for (const { source } of PARTS) if (source.by === "go") assert.match(source.version, /^v\d+\.\d+\.\d+$/);
});
