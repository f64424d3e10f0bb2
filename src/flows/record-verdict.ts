import { WaybillError } from "../core/errors.ts";
import type { Verdict } from "../core/verdict.ts";
import { encodeStatement } from "../evidence/statement.ts";
import { makeVerdictStatement } from "../evidence/verdict.ts";
import { IN_TOTO_PAYLOAD, signEnvelope } from "../sign/dsse.ts";
import { openMachineKey } from "../sign/machine-key.ts";

/**
 * Has the door sign its verdict, as a verification summary, and logs it in the journal of its home. A verdict that cannot
 * be logged stands all the same, and says so: a full disk must not decide what runs.
 *
 * @param about `manifest` and `policy`: the texts that the statement names by digest
 * @returns a note for the verdict when it was not logged
 */
export async function recordVerdict(
  verdict: Verdict,
  about: { home: string; manifest: string; policy: string },
): Promise<string | undefined> {
  try {
    const key = openMachineKey(about.home);
    const statement = makeVerdictStatement(verdict, about.manifest, about.policy);
    const payload = Buffer.from(encodeStatement(statement));
    // Loaded late: SQLite is not needed by whoever only looks something up.
    const { openJournal } = await import("../journal/journal.ts");
    const journal = await openJournal(about.home, { create: {}, lockTimeoutMs: 5000 });
    try {
      await journal.append({
        envelope: signEnvelope(IN_TOTO_PAYLOAD, payload, key.privateKey),
        publicKey: key.publicKey,
      });
    } finally {
      await journal.close();
    }
    return undefined;
  } catch (error) {
    if (!(error instanceof WaybillError)) throw error;
    return `this verdict is not in the journal: ${error.message}`;
  }
}
