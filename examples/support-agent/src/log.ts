const LEVELS = ["silent", "error", "info", "debug"] as const;

/** How much the agent says on stderr. */
export type Level = (typeof LEVELS)[number];

/** Writes one JSON line, if the level asks for it. */
export type Log = (level: Exclude<Level, "silent">, msg: string, fields?: Record<string, unknown>) => void;

/** A logger for LOG_LEVEL; an unknown level means `info`. Questions and answers are never logged. */
export function createLog(wanted: string | undefined): Log {
  const most = LEVELS.indexOf(wanted as Level);
  const limit = most === -1 ? LEVELS.indexOf("info") : most;
  return (level, msg, fields) => {
    if (LEVELS.indexOf(level) <= limit)
      process.stderr.write(`${JSON.stringify({ level, msg, ...fields })}\n`);
  };
}
