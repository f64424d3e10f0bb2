import assert from "node:assert/strict";
import { test } from "node:test";
import { WaybillError } from "./errors.ts";
import { parseYaml } from "./yaml-source.ts";

const refusal = (text: string): string => {
  try {
    return `accepted: ${JSON.stringify(parseYaml(text, "f.yaml").data)}`;
  } catch (error) {
    assert.ok(error instanceof WaybillError, String(error));
    return error.message;
  }
};

const OTHERWISE = [
  ..."yes No ON off y N Y n Yes OFF =".split(" "),
  ..."1:30 12:30:45 190:20:30.15 -1:30 01:30".split(" "),
  ..."1_000 0b1 -0b11 0b_1 -0x1F 0x_1 1_0.5 0o17 017 08 1e3 1.5e3 +1 +1.5 +0x1 +1:30 +.5".split(" "),
];
for (const word of OTHERWISE)
  test(`${word} without quotes is refused, with quotes it is text`, () => {
    for (const text of [`a: ${word}\n`, `[${word}]\n`, `- ${word}\n`])
      assert.match(refusal(text), /^f\.yaml:1:\d+: .*in quotes$/, text);
    assert.match(refusal(`${word}: a\n`), /in quotes$/);
    assert.equal(refusal(`a: "${word}"\n`), `accepted: {"a":"${word}"}`);
    assert.equal(refusal(`a: '${word}'\n`), `accepted: {"a":"${word}"}`);
    assert.equal(refusal(`a: |-\n  ${word}\n`), `accepted: {"a":"${word}"}`);
  });

test("what both versions read alike stays bare", () => {
  for (const word of [
    ..."yesterday none north onset 1.2.3 v1 1.0-rc1 a_b _1 0xfg 0b2 +a 1_a".split(" "),
    ..."localhost:8080 127.0.0.1:8080 8080:80 2027-06-01T00:00:00Z 2027-06-01".split(" "),
  ])
    assert.equal(refusal(`a: ${word}\n`), `accepted: {"a":"${word}"}`);
  assert.equal(
    refusal("[0, 1, -1, 1.5, -0.5, .5, 1., 0x1f, 1.5e+3, true, False, null, ~]"),
    "accepted: [0,1,-1,1.5,-0.5,0.5,1,31,1500,true,false,null,null]",
  );
});

test("a reason is cut", () => {
  const key = "k".repeat(1000);
  const reason = refusal(`${key}: a\n${key}: b\n`);
  assert.match(reason, /^f\.yaml:2:1: the key k/);
  assert.ok(reason.length < 400);
});
