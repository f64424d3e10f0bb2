import type { SourceRange } from "../core/finding.ts";
import { type CodeCall, type CodeText, keyword, stringArgument } from "../formats/calls.ts";
import { type Launch, launchOf } from "./launches.ts";
import type { CodeSnippet } from "./snippets.ts";

/** Calls such as `StdioServerParameters(command="npx", args=["-y", "server"])` that start a tool server. */
export function codeLaunches({ code, at }: CodeSnippet): (Launch & { where: SourceRange })[] {
  return code.calls.flatMap((call) => {
    const command = keyword(code, call, "command");
    const program = command && stringArgument(code, command.from, command.to);
    if (program === undefined) return [];
    const args = listOf(code, call);
    const launch = launchOf([program, ...args.map((word) => word.text)]);
    if (!launch) return [];
    const token = launch.at === 0 ? code.tokens[command!.from]! : args[launch.at - 1]!;
    return [{ ...launch, where: at(token.start, token.end - token.start) }];
  });
}

/** The strings of the list under `args`; a computed one stands as `$`. */
function listOf(code: CodeText, call: CodeCall): { text: string; start: number; end: number }[] {
  const range = keyword(code, call, "args");
  if (!range || code.tokens[range.from]?.value !== "[") return [];
  const words: { text: string; start: number; end: number }[] = [];
  for (let i = range.from + 1; i < range.from + 100; i += 1) {
    const token = code.tokens[i];
    if (!token || token.value === "]") break;
    const name = token.type === "name" ? code.constants.get(token.value ?? "") : undefined;
    if (token.type !== "other")
      words.push({
        text: name ?? (token.type === "string" ? token.value : undefined) ?? "$",
        start: token.start,
        end: token.end,
      });
  }
  return words;
}
