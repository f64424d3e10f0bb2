import { WaybillError } from "../core/errors.ts";
import { JsonSyntaxError, parseStrictJson } from "../core/strict-json.ts";
import { readTextBounded } from "../hash/read-file.ts";
import { MAX_TRUSTED_ROOT_BYTES, type NamedRoot, parseTrustedRoot } from "../sign/trusted-root.ts";

/** A trusted root by its name or file. @throws WaybillError WB-INPUT-001..006 */
export async function loadRoot(named: string): Promise<NamedRoot> {
  if (named === "sigstore-public") {
    const { sigstorePublicRoot } = await import("../sign/sigstore-public.ts");
    return { name: named, root: sigstorePublicRoot() };
  }
  const text = readTextBounded(named, MAX_TRUSTED_ROOT_BYTES, { follow: true });
  try {
    const root = parseTrustedRoot(parseStrictJson(text, { maxDepth: 16, maxNodes: 100_000 }));
    if (!("problem" in root)) return { name: named, root };
    throw new WaybillError("WB-INPUT-006", `${named}: ${root.problem}`, {
      hint: "get the trusted root from whoever runs the authorities",
    });
  } catch (cause) {
    if (!(cause instanceof JsonSyntaxError)) throw cause;
    throw new WaybillError("WB-INPUT-005", `${named}: ${cause.message}`, {
      hint: "a trusted root is a JSON document",
      cause,
    });
  }
}
