import { WaybillError } from "../core/errors.ts";
import { safeText } from "../core/safe-text.ts";
import { linkResolver } from "../core/tree-links.ts";
import { makeOmsStatement } from "../evidence/oms-statement.ts";
import { encodeStatement } from "../evidence/statement.ts";
import { writeFileAtomic } from "../hash/atomic-write.ts";
import type { HashProgress } from "../hash/pool.ts";
import { hashRanges } from "../hash/ranges.ts";
import { MAX_NAMED_BUNDLE_BYTES } from "../sign/bundle.ts";
import type { SignedBundle, StatementSigner } from "../sign/statement-signer.ts";
import { openModel } from "./model-tree.ts";

/** What `waybill model sign` did. */
export interface ModelSignOutcome {
  /** The signature's file. */
  file: string;
  /** SHA-256 over the digests of the files, hex. */
  root: string;
  /** Signed names. */
  files: number;
  /** Links among them, signed as the files that they lead to: then verifiers must allow links. */
  links: number;
  by: SignedBundle["by"];
}

/**
 * Signs a model that belongs to no agent as OMS v1.0 does: every file but git's own at the top and the signature.
 *
 * @param options `out`: where the signature goes; when not given `model.sig` in the folder, or `FILE.sig`
 * @throws WaybillError WB-INPUT-001, WB-INPUT-002 where a file cannot be read or a link leads out of the model,
 *   WB-INPUT-003 for a signature over 16 MiB, WB-INPUT-011 for a model that OMS cannot describe, WB-STORE-001/002, and as the signer
 */
export async function signModel(
  path: string,
  signer: StatementSigner,
  options: { out?: string; onProgress?: (progress: HashProgress) => void; signal?: AbortSignal } = {},
): Promise<ModelSignOutcome> {
  const model = await openModel(path, options.out);
  const { files, links, problems } = model.walk;
  if (problems.length > 0) throw unreadable(problems[0]!.path, problems[0]!.detail);
  const hashed = await hashRanges(
    files.map(({ absolute, size, dev, ino }) => ({ absolute, size, dev, ino, start: 0, end: size })),
    "sha256",
    options,
  );
  const digests = new Map<string, string>();
  hashed.forEach((result, i) => {
    if (!result.ok) throw unreadable(files[i]!.path, result.detail);
    digests.set(files[i]!.path, result.digest);
  });
  const resolve = linkResolver([
    ...links,
    ...files.map(({ path: each, size, executable }) => ({ path: each, size, sha256: "", executable })),
  ]);
  const followed = links.flatMap((link) => {
    const target = resolve(link.path);
    if (target === undefined) throw unreadable(link.path, "its target is not signed");
    return target.is === "file" ? [{ path: link.path, sha256: digests.get(target.path)! }] : [];
  });
  const statement = makeOmsStatement({
    name: model.name,
    files: [...[...digests].map(([each, sha256]) => ({ path: each, sha256 })), ...followed],
    isSingleFile: model.isSingleFile,
    allowSymlinks: links.length > 0,
    ignored: model.signature === undefined ? [] : [model.signature],
  });
  if ("problem" in statement)
    throw new WaybillError("WB-INPUT-011", `the model cannot be signed: ${safeText(statement.problem)}`, {
      hint: "rename or remove it",
    });
  const wish = { hint: "oms", maxBytes: MAX_NAMED_BUNDLE_BYTES } as const;
  const { bundle, by } = await signer.sign(encodeStatement(statement), wish);
  writeFileAtomic(model.signatureFile, bundle);
  return {
    file: model.signatureFile,
    root: statement.subject[0]!.digest.sha256!,
    files: digests.size + followed.length,
    links: links.length,
    by,
  };
}

function unreadable(path: string, detail: string): WaybillError {
  return new WaybillError(
    "WB-INPUT-002",
    `the model cannot be signed: ${path === "." ? "" : `${safeText(path)}: `}${detail}`,
    {
      hint: "a signature covers every file of a model: make it readable, or remove it",
    },
  );
}
