import { compareUtf8 } from "../core/digest.ts";
import { isOmsIgnored, OMS_IGNORED, omsRoot } from "../core/oms-root.ts";
import type { FileLeaf } from "../core/tree.ts";
import { OMS_TYPE } from "./oms.ts";
import { omsPathProblem, SINGLE_FILE } from "./oms-names.ts";
import { STATEMENT_TYPE, type Statement } from "./statement.ts";

/** A model whose files are hashed. */
export interface OmsModel {
  /** For people: the name of its folder or file. */
  name: string;
  /** Its regular files in any order, paths in the model. */
  files: readonly Pick<FileLeaf, "path" | "sha256">[];
  /** True for a model that is one file: then its path does not count. */
  isSingleFile?: boolean;
  /** True when links were followed and stand among the files with the digest of what they lead to. */
  allowSymlinks?: boolean;
  /** Paths in the model that the signature leaves out beside git's own: links, Waybill's files, the signature. */
  ignored?: readonly string[];
}

/**
 * The OMS v1.0 statement about a model: method `files`, SHA-256, resources in code point order. A single file has the
 * name `.`, the only one that model_signing accepts for it.
 *
 * @returns a problem where OMS cannot say it: no file that counts, or a path that it does not allow
 */
export function makeOmsStatement(model: OmsModel): Statement | { problem: string } {
  const counted = model.files
    .filter(({ path }) => !isOmsIgnored(path))
    .toSorted((a, b) => compareUtf8(a.path, b.path));
  const resources = counted.map(({ path, sha256 }) => ({
    name: model.isSingleFile ? SINGLE_FILE : path,
    algorithm: "sha256",
    digest: sha256,
  }));
  const root = omsRoot(counted);
  if (root === undefined) return { problem: "it holds no file that OMS counts" };
  if (model.isSingleFile && counted.length > 1) throw new RangeError("a single file has one path");
  for (const path of [...counted.map((file) => file.path), ...(model.ignored ?? [])]) {
    const problem = omsPathProblem(path);
    if (problem !== null) return { problem: `${path} ${problem}` };
  }
  return {
    _type: STATEMENT_TYPE,
    subject: [{ name: model.name, digest: { sha256: root } }],
    predicateType: OMS_TYPE,
    predicate: {
      serialization: {
        method: "files",
        hash_type: "sha256",
        allow_symlinks: model.allowSymlinks ?? false,
        ...(model.isSingleFile ? {} : { ignore_paths: [...OMS_IGNORED, ...(model.ignored ?? [])] }),
      },
      resources,
    },
  };
}
