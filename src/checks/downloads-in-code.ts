import { type CodeCall, keyword, positional, stringArgument } from "../formats/calls.ts";
import type { Download } from "./model-download.ts";
import { isModelUrl, isPinnedHubUrl, isRepository } from "./model-files.ts";
import { isCommit } from "./pins.ts";
import type { CodeSnippet } from "./snippets.ts";

interface Loader {
  /** Keywords that name the repository, and its place among the arguments by position. */
  names: readonly string[];
  position: number;
  /** Names that never stand for a hub's repository. */
  builtin?: RegExp;
  /** A word that the text must hold, where the call's own name is a common one. */
  only?: RegExp;
}

const FROM_HUB: Loader = { names: ["pretrained_model_name_or_path", "repo_id", "model_id"], position: 0 };
const LOADERS: Record<string, Loader> = {
  from_pretrained: FROM_HUB,
  hf_hub_download: FROM_HUB,
  snapshot_download: FROM_HUB,
  model_file_download: FROM_HUB,
  SentenceTransformer: { names: ["model_name_or_path"], position: 0 },
  CrossEncoder: { names: ["model_name", "model_name_or_path"], position: 0 },
  load_dataset: {
    names: ["path"],
    position: 0,
    builtin:
      /^(?:csv|json|text|parquet|arrow|pandas|sql|xml|webdataset|generator|imagefolder|audiofolder|videofolder)$/,
  },
  pipeline: { names: ["model"], position: 1, only: /transformers/ },
  LLM: { names: ["model"], position: 0, only: /vllm/ },
};
/** Calls that fetch a URL, and a keyword whose digest they check. */
const FETCHERS: Record<string, string | undefined> = {
  urlretrieve: undefined,
  urlopen: undefined,
  get: undefined,
  fetch: undefined,
  download: undefined,
  get_file: "file_hash",
  load_state_dict_from_url: undefined,
  from_single_file: undefined,
  retrieve: "known_hash",
};

export interface CodeContext {
  /** Paths that the manifest declares: such a name is a folder and nothing is fetched. */
  local: ReadonlySet<string>;
  /** The declared environment forbids the hub's library to fetch anything. */
  offline: boolean;
}

/** The downloads of models among the calls of a program. */
export function codeDownloads(snippet: CodeSnippet, context: CodeContext): Download[] {
  const { code, text } = snippet;
  return code.calls.flatMap((call) => {
    const last = call.name.slice(call.name.lastIndexOf(".") + 1);
    if (/(?:^|\.)hub\.load$/.test(call.name)) return torchHub(snippet, call);
    const loader = Object.hasOwn(LOADERS, last) ? LOADERS[last] : undefined;
    if (loader && (!loader.only || loader.only.test(text))) return hubLoad(snippet, call, loader, context);
    return Object.hasOwn(FETCHERS, last) ? urlFetch(snippet, call, FETCHERS[last]) : [];
  });
}

function hubLoad(
  { code, text, language, at }: CodeSnippet,
  call: CodeCall,
  loader: Loader,
  context: CodeContext,
): Download[] {
  const range =
    loader.names.map((name) => keyword(code, call, name)).find((r) => r) ??
    positional(code, call)[loader.position];
  const read = (name: string) => {
    const value = keyword(code, call, name);
    return (
      value && { value: stringArgument(code, value.from, value.to), source: code.tokens[value.from]?.value }
    );
  };
  const isObject = range && code.tokens[range.from]?.value === "{";
  if (!range || isObject) {
    if (loader !== LOADERS.pipeline || call.args.length === 0) return [];
    const where = at(call.offset, call.length);
    return [{ ...hubDownload("the task's default model", undefined, language), state: "mutable", where }];
  }
  const name = stringArgument(code, range.from, range.to);
  const offline =
    context.offline ||
    ["local_files_only", "localFilesOnly"].some((key) => /^(?:True|true)$/.test(read(key)?.source ?? ""));
  if (offline) return [];
  const start = code.tokens[range.from]!.start;
  const end = Math.min(code.tokens[range.to - 1]!.end, start + 200);
  const where = at(start, end - start);
  const revision = read("revision");
  if (name === undefined) {
    const what = text.slice(start, end);
    const state = isCommit(revision?.value) ? "pinned" : "unjudged";
    return [{ ...hubDownload(what, revision, language), lacks: "its name is computed", state, where }];
  }
  const plain = name.replace(/^\.\//, "").replace(/\/$/, "");
  const declared = [...context.local].some(
    (path) => path.replace(/\/$/, "") === plain || plain.startsWith(`${path.replace(/\/$/, "")}/`),
  );
  if (declared || loader.builtin?.test(name) || !isRepository(name)) return [];
  const spread = call.args.some(
    ({ from }) => code.tokens[from]?.value === "*" || code.tokens[from]?.value === ".",
  );
  const computed = revision === undefined ? spread : revision.value === undefined;
  const state = isCommit(revision?.value) ? "pinned" : computed ? "unjudged" : "mutable";
  return [{ ...hubDownload(name, revision, language), state, where }];
}

function hubDownload(
  what: string,
  revision: { value: string | undefined } | undefined,
  language: string,
): Omit<Download, "where" | "state"> {
  const argument = language === "python" ? 'revision="<40-hex commit>"' : "{ revision: '<40-hex commit>' }";
  const named = revision?.value;
  return {
    what,
    lacks:
      revision === undefined
        ? "no revision is named"
        : named === undefined
          ? "its revision is computed"
          : `'${named.slice(0, 80)}' is a branch or tag`,
    expected: argument,
    found: revision === undefined ? "no revision" : `revision ${named ?? "computed where it runs"}`,
    fix: isRepository(what)
      ? `add ${argument}   (git ls-remote https://huggingface.co/${what} HEAD)`
      : `add ${argument}, or load it from a declared component`,
  };
}

function torchHub({ code, at }: CodeSnippet, call: CodeCall): Download[] {
  const range = keyword(code, call, "repo_or_dir") ?? positional(code, call)[0];
  const source = keyword(code, call, "source");
  if (!range || (source && stringArgument(code, source.from, source.to) === "local")) return [];
  const token = code.tokens[range.from]!;
  const name = stringArgument(code, range.from, range.to);
  const ref = name?.includes(":") ? name.slice(name.indexOf(":") + 1) : undefined;
  return [
    {
      what: name ?? "torch.hub",
      state: name === undefined ? "unjudged" : isCommit(ref) ? "pinned" : "mutable",
      lacks:
        name === undefined ? "its name is computed" : "torch.hub runs the repository's code from a branch",
      expected: "torch.hub.load('org/repo:<40-hex commit>', …)",
      found: name ?? "computed where it runs",
      fix: `torch.hub.load('${name?.split(":")[0] ?? "org/repo"}:<40-hex commit>', …)`,
      where: at(token.start, token.end - token.start),
    },
  ];
}

function urlFetch({ code, at }: CodeSnippet, call: CodeCall, hash: string | undefined): Download[] {
  const range = ["url", "origin"].map((name) => keyword(code, call, name)).find((r) => r);
  const candidates = [range, ...positional(code, call).slice(0, 2)].flatMap((r) => (r ? [r] : []));
  return candidates.flatMap((candidate): Download[] => {
    const url = stringArgument(code, candidate.from, candidate.to);
    if (url === undefined || !/^https?:\/\//.test(url) || !isModelUrl(url)) return [];
    const checked = hash === undefined ? undefined : keyword(code, call, hash);
    const digest = checked && stringArgument(code, checked.from, checked.to);
    const pinned = isPinnedHubUrl(url) || /^(?:sha256:)?[0-9a-f]{64}$/.test(digest ?? "");
    const token = code.tokens[candidate.from]!;
    return [
      {
        what: url,
        state: pinned ? "pinned" : "mutable",
        lacks: "its digest is not checked",
        expected: "a commit in the URL, or a download whose SHA-256 is compared",
        found: url,
        fix: "declare the file as a model component with `origin`, then: waybill lock",
        where: at(token.start, token.end - token.start),
      },
    ];
  });
}
