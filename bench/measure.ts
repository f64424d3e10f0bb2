import { spawn } from "node:child_process";

/** One line of a bench's table: how long another tool takes for what ours does. */
export interface Row {
  /** What is measured, on what input. */
  case: string;
  ours: string;
  theirs: string;
  /** Their time ÷ ours, over the rounds; above 1 ours is faster. Absent when something was not measured. */
  ratio?: Spread;
  /** The least median ratio that we want. */
  goal?: number;
  oursSeconds?: Spread;
  theirsSeconds?: Spread;
  /** Why there is no ratio. */
  note?: string;
}

export interface Spread {
  median: number;
  min: number;
  max: number;
}

/** A command to be timed; undefined: it is not installed. */
export interface Contender {
  name: string;
  command: string[] | undefined;
}

/** Median, smallest and largest of some numbers, at least one. */
export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  const median = sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
  return { median, min: sorted[0]!, max: sorted.at(-1)! };
}

/**
 * Times the contenders in interleaved rounds (A, B, C, A, B, C …), so that whatever else the machine does falls
 * on all of them. The first round warms caches up and is dropped. Gives seconds of each kept round by name;
 * rejects when a command fails, since a failed run's time means nothing.
 */
export async function interleave(
  contenders: readonly Contender[],
  rounds: number,
  signal: AbortSignal,
): Promise<Map<string, number[]>> {
  const times = new Map<string, number[]>();
  for (let round = 0; round <= rounds; round += 1) {
    for (const { name, command } of contenders) {
      if (!command) continue;
      const start = performance.now();
      await runCommand(command, signal);
      if (round > 0) times.set(name, [...(times.get(name) ?? []), (performance.now() - start) / 1000]);
    }
  }
  return times;
}

/** Runs a command to its end, reading its answer as a script would; rejects, with what it said, unless its status is 0. */
export function runCommand([program, ...args]: string[], signal: AbortSignal): Promise<void> {
  return new Promise((done, failed) => {
    const child = spawn(program!, args, { stdio: ["ignore", "pipe", "pipe"], signal });
    child.stdout.resume();
    let said = "";
    child.stderr.on("data", (text: Buffer) => {
      said += text;
    });
    child.on("error", failed);
    child.on("close", (status) => {
      if (status === 0) done();
      else failed(new Error(`${program} ended with status ${status}: ${said.slice(-500)}`));
    });
  });
}

/** Each of ours against each of theirs, round by round: neighbours in time are compared with each other. */
export function ratios(
  name: string,
  ours: readonly string[],
  theirs: readonly Contender[],
  times: ReadonlyMap<string, number[]>,
  goals: Readonly<Record<string, number>> = {},
): Row[] {
  return ours.flatMap((our) =>
    theirs.map((their): Row => {
      const row: Row = { case: name, ours: our, theirs: their.name };
      const goal = goals[`${our} ${their.name}`];
      if (goal !== undefined) row.goal = goal;
      const a = times.get(our);
      const b = times.get(their.name);
      if (!a || !b) return { ...row, note: "not installed" };
      const each = a.map((seconds, round) => b[round]! / seconds);
      return { ...row, ratio: spread(each), oursSeconds: spread(a), theirsSeconds: spread(b) };
    }),
  );
}
