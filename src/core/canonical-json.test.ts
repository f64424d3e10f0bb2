import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { canonicalJson, type Json } from "./canonical-json.ts";
import { JsonSyntaxError, parseStrictJson } from "./strict-json.ts";

function rejects(
  text: string,
  reason: RegExp,
  limits?: { maxBytes?: number; maxDepth?: number },
): JsonSyntaxError {
  try {
    parseStrictJson(text, limits);
  } catch (error) {
    assert.ok(error instanceof JsonSyntaxError, `${error}`);
    assert.match(error.reason, reason, JSON.stringify(text.slice(0, 60)));
    return error;
  }
  return assert.fail(`accepted ${JSON.stringify(text.slice(0, 60))}`);
}

function double(hex: string): number {
  return Buffer.from(hex, "hex").readDoubleBE();
}

test("RFC 8785 §3.2.2 and §3.2.4: the sample object", () => {
  const sample = {
    numbers: [Number("333333333.33333329"), 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
    string: "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"/",
    literals: [null, true, false],
  };
  const text = canonicalJson(sample);
  assert.equal(
    text,
    '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],' +
      '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
  );
  assert.equal(
    Buffer.from(text).toString("hex").slice(0, 64),
    "7b226c69746572616c73223a5b6e756c6c2c747275652c66616c73655d2c226e",
  );
});

test("RFC 8785 §3.2.3: keys are ordered by UTF-16 code units, not by UTF-8 bytes", () => {
  const sample = {
    "\u20ac": "Euro Sign",
    "\r": "Carriage Return",
    "\ufb33": "Hebrew Letter Dalet With Dagesh",
    "1": "One",
    "\ud83d\ude00": "Emoji: Grinning Face",
    "\u0080": "Control",
    "\u00f6": "Latin Small Letter O With Diaeresis",
  };
  const order = [...canonicalJson(sample).matchAll(/:"([A-Za-z]+)/g)].map((match) => match[1]);
  assert.deepEqual(order, ["Carriage", "One", "Control", "Latin", "Euro", "Emoji", "Hebrew"]);
  // In UTF-8 U+FB33 (ef ac b3) comes before U+1F600 (f0 9f 98 80).
  assert.equal(canonicalJson({ "\ufb33": 1, "\u{1f600}": 2 }), '{"\u{1f600}":2,"\ufb33":1}');
  assert.equal(
    canonicalJson({ b: 1, a: 2, aa: 3, "": 4, 10: 5, 9: 6 }),
    '{"":4,"10":5,"9":6,"a":2,"aa":3,"b":1}',
  );
});

test("RFC 8785 appendix B: numbers", () => {
  const samples: [string, string][] = [
    ["0000000000000000", "0"],
    ["8000000000000000", "0"],
    ["0000000000000001", "5e-324"],
    ["8000000000000001", "-5e-324"],
    ["7fefffffffffffff", "1.7976931348623157e+308"],
    ["ffefffffffffffff", "-1.7976931348623157e+308"],
    ["4340000000000000", "9007199254740992"],
    ["c340000000000000", "-9007199254740992"],
    ["4430000000000000", "295147905179352830000"],
    ["44b52d02c7e14af5", "9.999999999999997e+22"],
    ["44b52d02c7e14af6", "1e+23"],
    ["44b52d02c7e14af7", "1.0000000000000001e+23"],
    ["444b1ae4d6e2ef4e", "999999999999999700000"],
    ["444b1ae4d6e2ef4f", "999999999999999900000"],
    ["444b1ae4d6e2ef50", "1e+21"],
    ["3eb0c6f7a0b5ed8c", "9.999999999999997e-7"],
    ["3eb0c6f7a0b5ed8d", "0.000001"],
    ["41b3de4355555553", "333333333.3333332"],
    ["41b3de4355555554", "333333333.33333325"],
    ["41b3de4355555555", "333333333.3333333"],
    ["41b3de4355555556", "333333333.3333334"],
    ["41b3de4355555557", "333333333.33333343"],
    ["becbf647612f3696", "-0.0000033333333333333333"],
    ["43143ff3c1cb0959", "1424953923781206.2"],
  ];
  for (const [bits, text] of samples) assert.equal(canonicalJson(double(bits)), text);
  for (const bits of ["7fffffffffffffff", "7ff0000000000000", "fff0000000000000"]) {
    assert.throws(() => canonicalJson({ a: [double(bits)] }), /(NaN|Infinity) at \$\.a\[0\]/);
  }
});

test("canonicalJson refuses what has no JSON form, and names the path", () => {
  const refused: [unknown, RegExp][] = [
    [{ a: undefined }, /undefined at \$\.a$/],
    [[1, [undefined]], /undefined at \$\[1\]\[0\]$/],
    [new Array(2), /holes.* at \$$/],
    ["a".match(/a/), /named properties.* at \$$/],
    [{ "b c": "\ud800" }, /lone surrogate at \$\["b c"\]$/],
    [{ "\udc00": 1 }, /lone surrogate at \$/],
    [{ when: new Date(0) }, /class at \$\.when$/],
    [new Map(), /class/],
    [Buffer.from("x"), /class/],
    [Object.create({ inherited: 1 }), /class/],
    [{ [Symbol("s")]: 1 }, /symbol key/],
    [{ n: 1n }, /bigint at \$\.n$/],
    [{ f: () => 1 }, /function at \$\.f$/],
    [{ toJSON: () => 1 }, /function/],
    [undefined, /undefined at \$$/],
  ];
  for (const [value, message] of refused) {
    assert.throws(
      () => canonicalJson(value as Json),
      (error) => error instanceof TypeError && message.test(error.message),
      String(message),
    );
  }
});

test("canonicalJson: 100 levels pass, 101 and cycles do not", () => {
  const nest = (levels: number) => {
    let value: Json = 0;
    for (let i = 0; i < levels; i += 1) value = [value];
    return value;
  };
  assert.equal(canonicalJson(nest(100)), `${"[".repeat(100)}0${"]".repeat(100)}`);
  assert.throws(() => canonicalJson(nest(101)), /nesting over 100/);
  const cycle: { [key: string]: Json } = {};
  cycle.self = cycle;
  assert.throws(() => canonicalJson(cycle), TypeError);
});

test("a key __proto__ is data in both directions", () => {
  const text = '{"__proto__":{"admin":true},"a":1}';
  const value = parseStrictJson(text) as { [key: string]: Json };
  assert.equal(Object.getPrototypeOf(value), Object.prototype);
  assert.equal((value as { admin?: unknown }).admin, undefined);
  assert.deepEqual(Object.keys(value), ["__proto__", "a"]);
  assert.equal(canonicalJson(value), text);
  rejects('{"__proto__":1,"__proto__":2}', /duplicate key/);
  assert.equal(canonicalJson(Object.assign(Object.create(null), { b: 1 })), '{"b":1}');
  assert.equal(
    canonicalJson(parseStrictJson('{"toString":1,"constructor":2}')),
    '{"constructor":2,"toString":1}',
  );
});

test("parseStrictJson refuses duplicate keys, however they are spelled, and says where", () => {
  const error = rejects('{\n  "a": 1,\n  "b": {"x": 1},\n  "\\u0061": 2\n}', /^duplicate key "a"$/);
  assert.deepEqual([error.offset, error.line, error.column], [31, 4, 3]);
  assert.match(error.message, /line 4, column 3/);
  assert.deepEqual(parseStrictJson('[{"a":1},{"a":2}]'), [{ a: 1 }, { a: 2 }]);
});

test("parseStrictJson refuses lone surrogates, raw and escaped", () => {
  for (const text of [
    '"\ud800"',
    '"\udc00x"',
    '"\\ud800"',
    '"\\udc00"',
    '"\\ud800\\ud800"',
    '"\\ud83dx"',
    '"\\ud83d"',
  ]) {
    rejects(text, /lone surrogate/);
  }
  rejects('"\\ud83d\\u00zz"', /unknown escape/);
  assert.equal(rejects('["a", "\ud800"]', /lone surrogate/).offset, 7);
  assert.equal(parseStrictJson('"\\ud83d\\uDE00"'), "\u{1f600}");
  assert.equal(parseStrictJson('"\u{1f600}\\n\\/\\u0000"'), "\u{1f600}\n/\0");
});

test("parseStrictJson refuses text that is not exactly one JSON value", () => {
  rejects("\ufeff{}", /byte order mark/);
  rejects("{} {}", /after the value/);
  rejects("1,", /after the value/);
  for (const text of ["01", "1.", "-01", "0x10", "1e", "1_000"]) rejects(text, /after the value/);
  rejects("", /unexpected end/);
  rejects(" \n", /unexpected end/);
  for (const text of [
    "-",
    ".5",
    "+1",
    "NaN",
    "Infinity",
    "tru",
    "nul",
    "undefined",
    "'a'",
    "// x\n1",
    "[,1]",
    "[1,]",
  ]) {
    rejects(text, /expected a value/);
  }
  rejects('{"a":1,}', /key in double quotes/);
  rejects("{a:1}", /key in double quotes/);
  rejects('{"a" 1}', /expected ':'/);
  rejects('{"a":1 "b":2}', /expected ',' or '}'/);
  rejects("[1 2]", /expected ',' or '\]'/);
  rejects("[1", /expected ',' or '\]'/);
  rejects('"a', /closing quote/);
  rejects('"a\nb"', /control character/);
  rejects('"\\x41"', /unknown escape/);
  rejects('"\\u12"', /unknown escape/);
  rejects('"\\', /unknown escape/);
  rejects("[\u00a01]", /expected a value/);
  assert.throws(() => parseStrictJson(undefined as unknown as string), TypeError);
});

test("parseStrictJson keeps its limits", () => {
  const nested = (levels: number) => "[".repeat(levels) + "]".repeat(levels);
  parseStrictJson(nested(64));
  rejects(nested(65), /nesting over 64/);
  rejects(nested(3), /nesting over 2/, { maxDepth: 2 });
  rejects('{"a":{"b":[]}}', /nesting over 2/, { maxDepth: 2 });
  parseStrictJson('"é"', { maxBytes: 4 });
  rejects('"é"', /larger than 3 bytes/, { maxBytes: 3 });
});

test("parseStrictJson takes a number only when its double is that number", () => {
  const exact: [string, number][] = [
    ["0", 0],
    ["-0", 0],
    ["-0.0e5", 0],
    ["0e99999999999999999999", 0],
    ["1.50", 1.5],
    ["1E2", 100],
    ["100e-2", 1],
    ["0.1", 0.1],
    ["9007199254740991", 2 ** 53 - 1],
    ["-9007199254740991", 1 - 2 ** 53],
    ["1e21", 1e21],
    ["5e-324", 5e-324],
    ["1.7976931348623157e+308", Number.MAX_VALUE],
    [`1${"0".repeat(30)}e-30`, 1],
    [`0.${"0".repeat(29)}1e30`, 1],
  ];
  for (const [text, value] of exact) assert.ok(Object.is(parseStrictJson(text), value), text);
  for (const text of [
    "9007199254740992",
    "9007199254740993",
    "-9007199254740992",
    "18446744073709551615",
    "1e400",
    "-1e400",
    "1e-400",
    "0.10000000000000000555",
    "3.141592653589793238",
    "9007199254740993.0",
    "9007199254740993e0",
  ]) {
    rejects(text, /a number that a double cannot hold/);
  }
});

test("property: what is written is read back, and reading agrees with JSON.parse", () => {
  // RFC 8785 writes these as integers, which I-JSON readers must not trust.
  const unsafe = (value: number) => Math.abs(value) > Number.MAX_SAFE_INTEGER && Math.abs(value) < 1e21;
  // Strings from all of Unicode. Not fc's "binary" unit, whose tables take a second to build.
  const text = fc
    .array(fc.oneof(fc.nat(0xff), fc.nat(0xd7ff), fc.integer({ min: 0xe000, max: 0x10ffff })), {
      maxLength: 8,
    })
    .map((points) => String.fromCodePoint(...points));
  const { json } = fc.letrec((tie) => ({
    json: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      fc.constantFrom(null, true, false),
      fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !unsafe(value)),
      fc.maxSafeInteger(),
      text,
      fc.array(tie("json"), { maxLength: 5 }),
      fc.dictionary(text, tie("json"), { maxKeys: 5 }),
    ),
  }));
  fc.assert(
    fc.property(json, fc.nat(3), (value, indent) => {
      const canonical = canonicalJson(value as Json);
      const parsed = parseStrictJson(JSON.stringify(value, null, indent));
      assert.deepStrictEqual(parsed, JSON.parse(JSON.stringify(value)));
      assert.equal(canonicalJson(parsed), canonical);
      assert.equal(canonicalJson(parseStrictJson(canonical)), canonical);
    }),
    { numRuns: 200 },
  );
});

test("property: garbage gives JsonSyntaxError or what JSON.parse gives", () => {
  const token = fc.constantFrom(...'{}[],:"\\u01aeE+-. \n', "true", "null", '"a"', "\\u0061", "\ud800", "12");
  fc.assert(
    fc.property(fc.array(token, { maxLength: 12 }), (tokens) => {
      const text = tokens.join("");
      let value: Json;
      try {
        value = parseStrictJson(text);
      } catch (error) {
        assert.ok(error instanceof JsonSyntaxError, String(error));
        assert.ok(error.offset >= 0 && error.offset <= text.length);
        return;
      }
      assert.equal(canonicalJson(value), canonicalJson(JSON.parse(text) as Json));
    }),
    { numRuns: 3000 },
  );
});

test("large hostile texts take linear time", () => {
  const n = 200_000;
  const started = performance.now();
  rejects("[".repeat(n), /nesting/);
  rejects(`${"[".repeat(60)}${"\n".repeat(n)}`, /unexpected end/);
  assert.equal((parseStrictJson(`"${"\\n".repeat(n)}"`) as string).length, n);
  assert.equal((parseStrictJson(`[${"0,".repeat(n)}0]`) as Json[]).length, n + 1);
  const keys = Array.from({ length: n / 4 }, (_, i) => `"k${i}":0`).join(",");
  assert.equal(Object.keys(parseStrictJson(`{${keys}}`) as object).length, n / 4);
  rejects(`{${keys},"k7":1}`, /duplicate key "k7"/);
  rejects(`1${"0".repeat(n)}1`, /a number/);
  rejects(`0.${"0".repeat(n)}1${"0".repeat(n)}1e${n}`, /a number/);
  rejects(`"${"\\ud83d\\ude00".repeat(n / 4)}`, /closing quote/);
  // About 300 ms; quadratic time would be minutes.
  assert.ok(performance.now() - started < 3000);
});
