import type { Command } from "./command.ts";
import { HELP_COMMANDS } from "./table/help.ts";
import { JOURNAL_COMMANDS } from "./table/journal.ts";
import { KEYS_COMMANDS } from "./table/keys.ts";
import { MODEL_COMMANDS } from "./table/model.ts";
import { RELEASE_COMMANDS } from "./table/release.ts";
import { TRUST_COMMANDS } from "./table/trust.ts";

/** Every command: help, dispatch and docs/cli.md are made of this table. */
export const COMMANDS: readonly Command[] = [
  ...RELEASE_COMMANDS,
  ...MODEL_COMMANDS,
  ...KEYS_COMMANDS,
  ...TRUST_COMMANDS,
  ...JOURNAL_COMMANDS,
  ...HELP_COMMANDS,
];
