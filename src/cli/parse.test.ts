import assert from "node:assert/strict";
import { test } from "node:test";
import { COMMANDS } from "./commands.ts";
import { FAMILIES } from "./families.ts";
import { commandHelp, familyHelp, overview } from "./help.ts";
import { principalName, targetName, wholeNumber } from "./options.ts";
import { parseCommandLine } from "./parse.ts";

const run = (...argv: string[]) => {
  const parsed = parseCommandLine(argv, COMMANDS);
  assert.equal(parsed.want, "run");
  return parsed as Extract<typeof parsed, { want: "run" }>;
};
const refused = (argv: string[], message: RegExp, hint = /./) => {
  assert.throws(
    () => parseCommandLine(argv, COMMANDS),
    (error: Error & { code: string; hint: string }) => {
      assert.equal(error.code, "WB-INPUT-007");
      assert.match(error.message, message);
      assert.match(error.hint, hint);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
      assert.doesNotMatch(error.message, /[\u0000-\u001f]/);
      return true;
    },
  );
};

test("help and version, in all the ways in which people ask", () => {
  for (const argv of [[], ["help"], ["--help"], ["-h"]])
    assert.deepEqual(parseCommandLine(argv, COMMANDS), { want: "help" });
  for (const argv of [
    ["help", "keys", "show"],
    ["keys", "show", "--help"],
    ["keys", "show", "-h"],
  ]) {
    const parsed = parseCommandLine(argv, COMMANDS);
    assert.equal(parsed.want === "help" && parsed.command?.name, "keys show");
  }
  for (const word of ["--version", "-V", "version"])
    assert.deepEqual(parseCommandLine([word], COMMANDS), { want: "version" });
});

test("options, defaults, operands; what stands behind -- is the command's own", () => {
  const { options, positionals } = run("check").args;
  assert.deepEqual({ ...options }, { dir: ".", level: "baseline", format: "text" });
  assert.deepEqual(positionals, []);
  assert.equal(run("check", "-C", "a", "--level=strict").args.options.dir, "a");
  const { args } = run("run", "--level", "strict", "--", "node", "--help", "--format", "json");
  assert.deepEqual(args.positionals, ["node", "--help", "--format", "json"]);
  assert.equal(args.options.format, "text");
  assert.deepEqual(run("keys", "create", "release").args.positionals, ["release"]);
});

test("mistakes say what was meant", () => {
  refused(["lcok"], /no command 'lcok'/, /did you mean: waybill lock/);
  refused(["keys"], /no command 'keys'/, /waybill keys create, waybill keys show/);
  refused(["help", "lcok"], /no command 'lcok'/, /waybill lock/);
  refused(["frobnicate"], /no command/, /waybill --help/);
  refused(["--frobnicate"], /no command '--frobnicate'/);
  refused(["lock", "--fast"], /unknown option '--fast'/, /waybill lock --help/);
  refused(["lock", "--dir"], /--dir needs a value/);
  refused(["lock", "--dir", "--format"], /--dir needs a value/);
  refused(["lock", "now"], /unexpected words: now/);
  refused(["lock", "--sha256sums=yes"], /sha256sums/);
  refused(["check", "--level", "high"], /must be one of observe, baseline, strict/);
  refused(["run", "--level", "observe"], /must be one of baseline, strict/);
  refused(["a\u001b[2Jb"], /a\\u\{1b\}\[2Jb/);
  refused(["__proto__"], /no command/);
  refused(["x".repeat(5000)], /no command/);
});

test("names and numbers", () => {
  assert.equal(targetName("production"), "production");
  for (const bad of ["", "a/b", "..", "Ä", "A", "-a", "a".repeat(65), undefined, true])
    assert.throws(() => targetName(bad), { code: "WB-INPUT-007" });
  assert.throws(() => principalName("Not A Name"), /--principal Not A Name: not the name of a principal/);
  assert.equal(wholeNumber("days", "30", 1, 3650), 30);
  for (const bad of ["0", "3651", "1.5", "1e3", "-1", "", " 1", "0x10", undefined, true])
    assert.throws(() => wholeNumber("days", bad, 1, 3650), { code: "WB-INPUT-007" });
});

test("help fits a screen, names each option, and its examples are understood", () => {
  const fits = (text: string, most: number) => {
    const lines = text.trimEnd().split("\n");
    assert.ok(lines.length <= most, `${lines.length} lines: ${lines[0]}`);
    // A single word, such as an identity, cannot be broken.
    for (const line of lines) assert.ok(line.length <= 80 || /^ +\S+ \S+( \\)?$/.test(line), line);
  };
  fits(overview(), 28);
  for (const family of Object.keys(FAMILIES)) fits(familyHelp(family), 24);
  for (const command of COMMANDS) {
    fits(commandHelp(command), 44);
    const [first = "", second] = command.name.split(" ");
    assert.ok(overview().includes(`  ${first} `), first);
    if (second !== undefined) assert.ok(familyHelp(first).includes(`  ${command.name} `));
    for (const name of Object.keys(command.options)) assert.ok(commandHelp(command).includes(`--${name}`));
    for (const example of command.examples) {
      const argv = example
        .split(/ (?:&&|>) /)[0]!
        .replace(/"[^"]*"/g, "quoted")
        .split(" ")
        .slice(1);
      assert.equal(run(...argv).command.name, command.name);
    }
  }
});
