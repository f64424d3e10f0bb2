import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Json } from "../core/canonical-json.ts";
import { WaybillError } from "../core/errors.ts";
import { safeText } from "../core/safe-text.ts";
import { parseStrictJson } from "../core/strict-json.ts";
import { makeFolder } from "../hash/make-folder.ts";
import { MAX_TRUSTED_ROOT_BYTES, parseTrustedRoot } from "../sign/trusted-root.ts";

/** Where a trusted root is fetched from. */
export interface TufSource {
  /** Address of a TUF repository; Sigstore's own when absent, whose first root comes with @sigstore/tuf. */
  mirror?: string;
  /** File of the repository's first `root.json`: with `mirror`. */
  root?: string;
}

/**
 * Fetches the current `trusted_root.json` from a TUF repository (TUF 1.0, by the optional package @sigstore/tuf).
 * The only code of trust that goes to the network, and only `waybill trust update` calls it.
 *
 * @param home Waybill's home folder: TUF's own state, which keeps older metadata out, lies in `HOME/tuf`
 * @throws WaybillError WB-INPUT-018 without the package; WB-INPUT-001 no `root.json`; WB-NET-001 when nothing can be
 * fetched, WB-NET-002 when what was fetched is not signed as it must be or no trusted root
 */
export async function fetchTrustedRoot(source: TufSource, home: string): Promise<Json> {
  const { mirror, root } = source;
  const { initTUF } = await loadTuf();
  if (root !== undefined && !existsSync(root))
    throw new WaybillError("WB-INPUT-001", `${root} does not exist`, {
      hint: "--tuf-root names the repository's root.json, got from somebody whom you trust",
    });
  const cachePath = join(home, "tuf");
  makeFolder(cachePath, { mode: 0o700, hint: "let WAYBILL_HOME name a folder that this user can write" });
  let text: string;
  try {
    const client = await initTUF({
      cachePath,
      retry: { retries: 1 },
      timeout: 20_000,
      ...(mirror === undefined ? {} : { mirrorURL: mirror.replace(/\/+$/, "") }),
      ...(root === undefined ? {} : { rootPath: root }),
    });
    text = await client.getTarget("trusted_root.json");
  } catch (cause) {
    if (cause instanceof WaybillError) throw cause;
    throw fetchError(mirror ?? "Sigstore's TUF repository", cause);
  }
  let data: Json;
  try {
    data = parseStrictJson(text, { maxBytes: MAX_TRUSTED_ROOT_BYTES, maxDepth: 32 });
  } catch (cause) {
    throw wrong((cause as Error).message, cause);
  }
  const parsed = parseTrustedRoot(data);
  if ("problem" in parsed) throw wrong(parsed.problem);
  return data;
}

async function loadTuf(): Promise<typeof import("@sigstore/tuf")> {
  try {
    return await import("@sigstore/tuf");
  } catch (cause) {
    throw new WaybillError("WB-INPUT-018", "the package @sigstore/tuf is not installed", {
      hint: "npm install @sigstore/tuf@5.0.1; without it: waybill trust add --trusted-root FILE",
      cause,
    });
  }
}

/** Failures of the connection apart from metadata that is not as TUF demands. */
function fetchError(from: string, cause: unknown): WaybillError {
  const chain: string[] = [];
  let unreachable = false;
  for (let at = cause; at instanceof Error && chain.length < 5; at = at.cause) {
    chain.push(at.message);
    const { code } = at as NodeJS.ErrnoException;
    unreachable ||=
      /^E[A-Z_]+$/.test(code ?? "") || /fetch|ECONN|ENOTFOUND|timeout|network/i.test(at.message);
  }
  const reason = safeText(chain.join(": "));
  return unreachable
    ? new WaybillError("WB-NET-001", `${from} cannot be reached: ${reason}`, {
        hint: "the policy is as it was; try again, or take the file over by hand: waybill trust add --trusted-root FILE",
        cause,
      })
    : wrong(reason, cause);
}

function wrong(reason: string, cause?: unknown): WaybillError {
  return new WaybillError("WB-NET-002", `what was fetched is not a trusted root: ${safeText(reason)}`, {
    hint: "the policy is as it was; somebody between here and there may have changed it",
    ...(cause === undefined ? {} : { cause }),
  });
}
