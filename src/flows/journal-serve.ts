import { join } from "node:path";
import { encodeVerifierKey } from "../core/note.ts";
import { AccessLog } from "../journal/access-log.ts";
import type { Entry } from "../journal/entry.ts";
import { type Journal, openJournal } from "../journal/journal.ts";
import { logApi } from "../journal/log-api.ts";
import { leafOf } from "../journal/log-item.ts";
import { makeExternalStatement } from "../journal/own-statements.ts";
import { MAX_REQUEST } from "../journal/rekor-request.ts";
import { serve } from "../net/serve.ts";
import { IN_TOTO_PAYLOAD, signEnvelope } from "../sign/dsse.ts";
import type { SigningKey } from "../sign/key-store.ts";
import { openMachineKey } from "../sign/machine-key.ts";
import { loadPrehashVerifier } from "../sign/prehash.ts";
import { makerOf } from "../verify/trust-maker.ts";
import { windowSealer } from "./access-windows.ts";
import { CosignRounds } from "./cosign-rounds.ts";
import { WatchedTrust } from "./watched-trust.ts";
import type { NamedWitness } from "./witnesses.ts";

/** Folder of the access log in WAYBILL_HOME. */
export const ACCESS_FOLDER = "accesses";

/** How the service is named in the windows that it signs. */
const SERVICE = "journal";

export interface JournalServeOptions {
  home: string;
  /** File of the operator's trust policy: whose entries are taken. */
  trust: string;
  host: string;
  port: number;
  witnesses: readonly NamedWitness[];
  now: () => Date;
  /** What the operator should know, a line each. */
  say: (line: string) => void;
}

/** A journal that is being served. */
export interface ServedJournal {
  /** Without a slash at the end. */
  url: string;
  origin: string;
  folder: string;
  verifierKey: string;
  /** Answers what was begun, seals the open window, and lets go of the journal. */
  close(): Promise<void>;
}

/**
 * Serves the journal of a home, made when there is none: Rekor v2's API for makers whom trust names, checkpoint and tiles
 * for everyone.
 *
 * @throws WaybillError WB-NET-001 the address cannot be had, WB-INPUT-018 without `@noble/curves`, WB-STORE-004 another
 *   process serves it; and as `currentTrust`, `openJournal` and `openMachineKey`
 */
export async function serveJournal(options: JournalServeOptions): Promise<ServedJournal> {
  const { home, now, say, witnesses } = options;
  const trust = new WatchedTrust({ file: options.trust, home, now, say });
  // Without it no entry could be taken: said now, not to the first client.
  await loadPrehashVerifier();
  const machine = openMachineKey(home);
  const journal = await openJournal(home, { create: {}, now: now() });
  const closing: (() => Promise<void>)[] = [() => journal.close()];
  const close = async (): Promise<void> => {
    for (const each of closing.splice(0).reverse()) await each();
  };
  try {
    const sealer = windowSealer(journal, machine, SERVICE, say);
    const accesses = await AccessLog.open(join(home, ACCESS_FOLDER), sealer);
    closing.push(() => accesses.close());
    const rounds = witnesses.length === 0 ? undefined : new CosignRounds(home, journal, witnesses, say);
    if (rounds) closing.push(() => rounds.close());
    const handle = logApi({
      folder: journal.folder,
      principalOf: (entry) => makerOf(trust.current(), namedMaker(entry), now()),
      isKnown: (body) => journal.indexOfLeaf(leafOf(body)) !== undefined,
      async append(body, entry) {
        const vouch = (at: { index: number; leaf: string }) => vouchFor(entry, at, machine);
        const { index, tlogEntry } = await journal.appendExternal(body, vouch);
        const checkpoint = await rounds?.covering(index);
        return checkpoint === undefined ? tlogEntry : journal.reader.logEntry(index, checkpoint);
      },
      observe: (access) => accesses.record({ at: now().toISOString(), ...access }),
      countRefusal: () => accesses.countRefusal(),
    });
    const requests = new Requests(handle);
    const served = await serve(requests.handle, {
      host: options.host,
      port: options.port,
      // One that is a little too large is still answered with a reason.
      maxBody: 4 * MAX_REQUEST,
      onError: (error) => say(`a request failed: ${(error as Error).message}`),
    });
    closing.push(() => served.close());
    closing.push(() => requests.settle());
    return { url: served.url, ...identity(journal), close };
  } catch (error) {
    await close();
    throw error;
  }
}

function identity(journal: Journal): Pick<ServedJournal, "origin" | "folder" | "verifierKey"> {
  const { origin, folder, reader } = journal;
  return { origin, folder, verifierKey: encodeVerifierKey(origin, reader.key.publicKey, "ed25519") };
}

function namedMaker({ verifier, keyId }: Entry): Parameters<typeof makerOf>[1] {
  return verifier.kind === "publicKey" ? { keyId } : { certificate: verifier.der };
}

/** The statement of this machine that an entry came from outside. */
function vouchFor(
  { algorithm, digest, keyId }: Entry,
  { index, leaf }: { index: number; leaf: string },
  { privateKey, publicKey }: SigningKey,
): { envelope: ReturnType<typeof signEnvelope>; publicKey: SigningKey["publicKey"] } {
  const subject = { [algorithm.replace("SHA2_", "sha")]: digest.toString("hex") };
  const statement = makeExternalStatement(subject, { index, leaf, verifier: keyId });
  return { envelope: signEnvelope(IN_TOTO_PAYLOAD, Buffer.from(statement), privateKey), publicKey };
}

/** How long requests that were begun may take to end when the service ends, in milliseconds. */
const SETTLE_MS = 10_000;

/** Counts requests in, so that they can be waited for. */
class Requests {
  readonly #handle: (request: Request) => Promise<Response>;
  readonly #running = new Set<Promise<unknown>>();
  #ending = false;

  constructor(handle: (request: Request) => Promise<Response>) {
    this.#handle = handle;
  }

  readonly handle = async (request: Request): Promise<Response> => {
    if (this.#ending) return new Response("the service ends\n", { status: 503 });
    const answer = this.#handle(request);
    this.#running.add(answer);
    try {
      return await answer;
    } finally {
      this.#running.delete(answer);
    }
  };

  /** Takes no more, and waits for those that are running. */
  async settle(): Promise<void> {
    this.#ending = true;
    const limit = new Promise((resolve) => setTimeout(resolve, SETTLE_MS).unref());
    await Promise.race([Promise.allSettled(this.#running), limit]);
    // Their answers are on their way out.
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
