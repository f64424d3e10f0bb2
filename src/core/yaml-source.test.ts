import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { WaybillError } from "./errors.ts";
import { MAX_YAML_BYTES, parseYaml } from "./yaml-source.ts";

const read = (text: string) => parseYaml(text, "f.yaml").data;

/** Code and first words of the error for a text. */
function refusal(text: string): string {
  try {
    return `accepted: ${JSON.stringify(read(text))}`;
  } catch (error) {
    assert.ok(error instanceof WaybillError, String(error));
    return `${error.code} ${error.message}`;
  }
}

const REFUSED: [name: string, text: string, expected: string][] = [
  ["duplicate key", "a: 1\nb: 2\na: 3\n", "WB-INPUT-005 f.yaml:3:1: the key a stands twice"],
  ["duplicate key, other quotes", "a: 1\n'a': 3\n", "WB-INPUT-005 f.yaml:2:1: the key a stands twice"],
  ["duplicate key, escaped", 'a: {b: 1, "\\u0062": 2}\n', "WB-INPUT-005 f.yaml:1:11: the key b stands twice"],
  ["alias", "a: b\nc: *a\n", "WB-INPUT-005 f.yaml:2:4: an alias: write the value out"],
  ["anchor", "a: &x 1\n", "WB-INPUT-005 f.yaml:1:7: an anchor: write the value out"],
  ["anchor of a map", "a: &x {b: 1}\n", "WB-INPUT-005 f.yaml:1:7: an anchor"],
  ["anchor of a key", "&x a: 1\n", "WB-INPUT-005 f.yaml:1:4: an anchor"],
  ["cycle", "a: &a [*a]\n", "WB-INPUT-005 f.yaml:1:7: an anchor"],
  ["expansion", "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "WB-INPUT-005 f.yaml:1:7: an anchor"],
  ["tag of its own", "a: !secret x\n", "WB-INPUT-005 f.yaml:1:4: unresolved tag"],
  ["standard tag", "a: !!str 1\n", "WB-INPUT-005 f.yaml:1:10: the tag tag:yaml.org,2002:str"],
  ["standard tag of a map", "a: !!map {b: 1}\n", "WB-INPUT-005 f.yaml:1:10: the tag"],
  ["non-specific tag", "a: ! 1\n", "WB-INPUT-005 f.yaml:1:6: the tag !"],
  ["merge key", "a:\n  <<: {b: 1}\n", "WB-INPUT-005 f.yaml:2:3: a key that some readers merge: <<"],
  ["__proto__", "a:\n  __proto__: 1\n", "WB-INPUT-005 f.yaml:2:3: a key that some readers drop"],
  ["NUL", "a: 1\nb: \0\n", "WB-INPUT-005 f.yaml:2:4: holds a NUL byte"],
  ["lone surrogate", "a: \ud800\n", "WB-INPUT-005 f.yaml:1:4: holds half of a character"],
  ["lone surrogate, escaped", 'a: "\\ud800"\n', "WB-INPUT-005 f.yaml:1:4: holds half of a character"],
  ["second document", "a: 1\n---\nb: 2\n", "WB-INPUT-005 f.yaml:2:1: a second document"],
  ["second document after an end", "a: 1\n...\nb: 2\n", "WB-INPUT-005 f.yaml:3:1: a second document"],
  ["YAML 1.1", "%YAML 1.1\n---\na: yes\n", "WB-INPUT-005 f.yaml:1:1: a directive"],
  ["number as key", "1: a\n", "WB-INPUT-005 f.yaml:1:1: a key that is no string"],
  ["true as key", "true: a\n", "WB-INPUT-005 f.yaml:1:1: a key that is no string"],
  ["null as key", "~: a\n", "WB-INPUT-005 f.yaml:1:1: a key that is no string"],
  ["no key", ": a\n", "WB-INPUT-005 f.yaml:1:1: a key that is no string"],
  ["list as key", "? [a]\n: b\n", "WB-INPUT-005 f.yaml:1:3: a key that is no string"],
  ["map as key", "? {a: 1}\n: b\n", "WB-INPUT-005 f.yaml:1:3: a key that is no string"],
  ["infinite", "a: .inf\n", "WB-INPUT-005 f.yaml:1:4: not a finite number"],
  ["overflow", "a: 1e400\n", "WB-INPUT-005 f.yaml:1:4: not a finite number"],
  ["not a number", "a: .nan\n", "WB-INPUT-005 f.yaml:1:4: not a finite number"],
  [
    "rounded integer",
    "a: 9007199254740993\n",
    "WB-INPUT-005 f.yaml:1:4: a number that not every reader holds",
  ],
  ["rounded hexadecimal", "a: 0x20000000000001\n", "WB-INPUT-005 f.yaml:1:4: a number that not every"],
  [
    "rounded decimal",
    "a: 0.1000000000000000055\n",
    "WB-INPUT-005 f.yaml:1:4: a number that not every reader holds",
  ],
  ["underflow", "a: 1e-400\n", "WB-INPUT-005 f.yaml:1:4: a number that not every reader holds"],
  ["octal in YAML 1.1", "mode: 0755\n", "WB-INPUT-005 f.yaml:1:7: a number that some readers take for octal"],
  ["tab", "a:\n\tb: 1\n", "WB-INPUT-005 f.yaml:2:1: tabs are not allowed as indentation"],
  ["open quote", 'a: "b\n', "WB-INPUT-005 f.yaml:2:1: missing closing"],
  ["open bracket", "a: [1,\n", "WB-INPUT-005 f.yaml:2:1: flow sequence in block collection"],
  ["61 brackets", "[".repeat(61) + "]".repeat(61), "WB-INPUT-005 f.yaml:1:61: nested deeper than 60 levels"],
];

for (const [name, text, expected] of REFUSED)
  test(`refused: ${name}`, () => {
    const found = refusal(text);
    assert.ok(found.startsWith(expected), found);
  });

const ACCEPTED: [name: string, text: string, data: unknown][] = [
  ["empty text", "", null],
  ["only a comment", "# nothing\n", null],
  ["byte order mark", "\ufeffa: 1\n", { a: 1 }],
  ["CRLF", "a: 1\r\nb: |\r\n  x\r\n  y\r\n", { a: 1, b: "x\ny\n" }],
  ["document start and end", "---\na: 1\n...\n# end\n", { a: 1 }],
  ["dashes in a comment", `# ${"-".repeat(100)}\na: 1\n`, { a: 1 }],
  ["brackets in a text", `a: "${"[{".repeat(60)}"\n`, { a: "[{".repeat(60) }],
  ["60 levels", "[".repeat(60) + "]".repeat(60), JSON.parse("[".repeat(60) + "]".repeat(60))],
  ["quoted number as key", '"1": a\n', { "1": "a" }],
  ["constructor as key", "constructor: 1\n", { constructor: 1 }],
  ["words of YAML 1.1 in quotes", "a: 'yes'\nb: \"on\"\nc: '1_000'\n", { a: "yes", b: "on", c: "1_000" }],
  ["numbers", "[0, -1.50, 3, .5, 1., 0xff, 1.5e+3]", [0, -1.5, 3, 0.5, 1, 255, 1500]],
];

for (const [name, text, data] of ACCEPTED)
  test(`accepted: ${name}`, () => assert.deepEqual(read(text), data));

const HOSTILE: [name: string, text: string][] = [
  ["10,000 brackets", "[".repeat(10_000) + "]".repeat(10_000)],
  ["10,000 brackets on lines", "[\n".repeat(10_000)],
  ["10,000 maps", "{a: ".repeat(10_000)],
  ["10,000 dashes", `${"- ".repeat(10_000)}1`],
  ["10,000 question marks", `${"? ".repeat(10_000)}1`],
  ["1,400 levels of indentation", Array.from({ length: 1400 }, (_, i) => `${" ".repeat(i)}a:`).join("\n")],
  ["1,000 lists in maps", Array.from({ length: 700 }, (_, i) => `${"  ".repeat(i)}- a:`).join("\n")],
];

for (const [name, text] of HOSTILE)
  test(`deep nesting is refused, neither stack nor clock runs out: ${name}`, () => {
    const start = performance.now();
    assert.match(refusal(text), /^WB-INPUT-005 f\.yaml:\d+:\d+: nested deeper than 60 levels$/);
    assert.ok(performance.now() - start < 2000);
  });

test("20,000 keys take no quadratic time", () => {
  const lines = Array.from({ length: 20_000 }, (_, i) => `k${i}: 1`);
  const start = performance.now();
  assert.equal(Object.keys(read(lines.join("\n")) as object).length, 20_000);
  assert.ok(performance.now() - start < 4000);
});

test("1 MiB is read, one byte more is not", () => {
  const fill = "#".repeat(MAX_YAML_BYTES - 5);
  assert.deepEqual(read(`a: 1\n${fill}`), { a: 1 });
  assert.match(refusal(`a: 1\n${fill}#`), /^WB-INPUT-003 f\.yaml is larger than 1 MiB$/);
  // Bytes, not characters.
  assert.match(refusal(`a: ${"é".repeat(MAX_YAML_BYTES / 2)}`), /^WB-INPUT-003/);
});

test("a value is found by its path, in block and flow style, after CRLF and wide characters", () => {
  const { locate } = parseYaml('a:\r\n  - x: 1\r\n  - {z: "two", "ü😀": 3}\r\nlast: end\r\n', "f.yaml");
  const at = (...path: (string | number)[]) => {
    const { line, column, length } = locate(path);
    return [line, column, length];
  };
  assert.deepEqual(at("a", 0, "x"), [2, 8, 1]);
  assert.deepEqual(at("a", 1, "z"), [3, 9, 5]);
  assert.deepEqual(at("a", 1, "ü😀"), [3, 23, 1]);
  assert.deepEqual(at("last"), [4, 7, 3]);
  // What is not there: its nearest parent.
  assert.deepEqual(at("a", 0, "missing", "deeper"), [2, 5, 4]);
  assert.deepEqual(at("a", 7), at("a"));
  assert.equal(locate(["a", 1]).file, "f.yaml");
});

test("the range of a long value ends with its line, and is never empty", () => {
  const { locate } = parseYaml("a: |\n  x\n  y\nb:\nc: []\n", "f.yaml");
  assert.deepEqual([locate(["a"]).line, locate(["a"]).length], [1, 1]);
  assert.ok(locate(["b"]).length >= 1);
  assert.equal(locate([]).line, 1);
});

test("whatever JSON says, YAML reads the same, or refuses it", () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 5, noUnicodeString: false } as fc.JsonSharedConstraints), (json) => {
      let data: unknown;
      try {
        data = read(json);
      } catch (error) {
        assert.ok(error instanceof WaybillError);
        return;
      }
      assert.deepEqual(JSON.parse(JSON.stringify(data)), JSON.parse(json));
    }),
    { numRuns: 300 },
  );
});

test("random text ends in data or in a WaybillError", () => {
  const piece = fc.constantFrom(..."a1:-?[]{}&*!|>'\"#%@,\n\t \\~<.0x\ufeff😀".split(""), ": ", "- ", "\n  ");
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
      try {
        read(pieces.join(""));
      } catch (error) {
        assert.ok(error instanceof WaybillError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});
