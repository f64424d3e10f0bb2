import { homedir } from "node:os";
import { join, resolve } from "node:path";

/** Waybill's own folder of this user: keys, and what doors remember. `WAYBILL_HOME`, else `~/.waybill`. */
export function waybillHome(env: NodeJS.ProcessEnv = process.env): string {
  return env.WAYBILL_HOME ? resolve(env.WAYBILL_HOME) : join(homedir(), ".waybill");
}
