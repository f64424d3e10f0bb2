import assert from "node:assert/strict";
import { test } from "node:test";
import { WaybillError } from "./errors.ts";
import { parseManifest } from "./manifest.ts";

const text = (component: string, more = "") =>
  `waybill: v1\nagent: a\ncomponents:\n  - {kind: corpus, name: c, ${component}}\nstart: {command: [x]}\n${more}`;

function refusal(of: string): string {
  try {
    parseManifest(of);
    return "accepted";
  } catch (error) {
    assert.ok(error instanceof WaybillError, String(error));
    assert.equal(error.code, "WB-INPUT-006");
    return error.message;
  }
}

test("a path stands once in a component, and not inside another one", () => {
  const paths = (...list: string[]) => refusal(text(`paths: [${list.join(", ")}]`));
  const place = (i: number, message: string) =>
    new RegExp(`^waybill\\.yaml:4:\\d+: components\\.0\\.paths\\.${i}: ${message}$`);
  assert.match(paths("src", "src"), place(1, "src stands twice"));
  assert.match(paths("src", "lib", "src/"), place(2, "src/ stands twice"));
  assert.match(paths("src/a/b", "src"), place(0, "it is inside src, which stands here too"));
  assert.match(paths("src/", "src/a/b/"), place(1, "it is inside src, which stands here too"));
  assert.match(paths(".", "src"), place(1, "it is inside \\., which stands here too"));
  assert.match(paths(".", "."), place(1, "\\. stands twice"));
  for (const list of [["src", "src2"], ["src/a", "src/b"], ["src-a", "src"], ["a/src", "src"], ["."]])
    assert.equal(paths(...list), "accepted", list.join());
});

test("each departure is cut, and so is what stands before it", () => {
  const keys = Array.from({ length: 20_000 }, (_, i) => `k${i}: 1`).join(", ");
  const unknown = refusal(text(`path: x, ${keys}`));
  assert.match(unknown, /unrecognized keys: "k0"/i);
  assert.ok(unknown.length < 400, String(unknown.length));
  const long = "K".repeat(100_000);
  const place = refusal(text("path: x", `runtime: {}\npolicy: {level: ${long}}\npact: {${long}: 1}\n`));
  assert.ok(place.length < 2000, String(place.length));
  const name = refusal(text("path: x").replace("start: {", `start: {env: {${long}: [1]}, `));
  assert.ok(name.length < 1000, String(name.length));
});
