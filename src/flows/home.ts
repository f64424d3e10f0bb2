// An `import` would load all that these give, which a fast start has no time for.
const { join, resolve } = process.getBuiltinModule("node:path");

/** Waybill's own folder of this user: keys, and what doors remember. `WAYBILL_HOME`, else `~/.waybill`. */
export function waybillHome(env: NodeJS.ProcessEnv = process.env): string {
  return env.WAYBILL_HOME
    ? resolve(env.WAYBILL_HOME)
    : join(process.getBuiltinModule("node:os").homedir(), ".waybill");
}
