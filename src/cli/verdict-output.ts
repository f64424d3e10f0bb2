import type { Judgement } from "../flows/judge.ts";
import { EXIT, exitCodeOf } from "./exit-codes.ts";
import type { Io } from "./io.ts";
import { version } from "./main.ts";
import { renderGithub } from "./render/github.ts";
import { renderSarif } from "./render/sarif.ts";
import { renderVerdict } from "./render/verdict-text.ts";

/** Writes a judgement in the asked format and gives the verdict's exit code, the same in every format. */
export function writeVerdict({ verdict, facts, level, rules }: Judgement, format: string, io: Io): number {
  if (format === "json") io.out(`${JSON.stringify(verdict, null, 2)}\n`);
  else if (format === "sarif") io.out(renderSarif(verdict, rules, version()));
  else if (format === "github") io.out(renderGithub(verdict));
  else {
    const sources = new Map(facts.texts.map(({ path, text }) => [path, text]));
    sources.set(facts.manifest.source.file, facts.manifest.source.text);
    io.out(renderVerdict(verdict, { paint: io.paint, width: io.width, rules, sources, asked: level }));
  }
  return exitCodeOf(verdict.outcome) ?? EXIT.bug;
}
