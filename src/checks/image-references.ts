import { dockerInstructions, flagsOf } from "../formats/dockerfile.ts";
import type { TextFile } from "./check.ts";
import { textKind } from "./scanned-texts.ts";
import { documentsOf } from "./snippets.ts";

/** An image that a text asks for. */
export interface ImageReference {
  text: string;
  offset: number;
}

const COMPOSE = /(?:^|\/)(?:docker-)?compose[\w.-]{0,80}\.ya?ml$/;
const GITLAB = /(?:^|\/)\.gitlab-ci\.ya?ml$/;

/** The images that a Dockerfile starts from or copies from; stages of its own and `scratch` are left out. */
export function dockerfileImages(text: string): ImageReference[] {
  const stages = new Set<string>(["scratch"]);
  const images: ImageReference[] = [];
  let stageCount = 0;
  const add = (reference: string, offset: number): void => {
    const known =
      stages.has(reference.toLowerCase()) || (/^\d{1,4}$/.test(reference) && Number(reference) < stageCount);
    if (!known && reference !== "") images.push({ text: reference, offset });
  };
  for (const { keyword, body, offset } of dockerInstructions(text)) {
    const { flags, rest, at } = flagsOf(body);
    if (keyword === "FROM") {
      const words = [...rest.matchAll(/[^\s\\\0]{1,1024}/g)].slice(0, 3);
      if (words[0]) add(words[0][0], offset + at + words[0].index);
      if (words[1]?.[0].toLowerCase() === "as" && words[2]) stages.add(words[2][0].toLowerCase());
      stageCount += 1;
      continue;
    }
    for (const flag of flags) {
      const from = /^--from=/.exec(flag.text) ?? /^--mount=(?:[^,\s]{0,200},){0,10}?from=/.exec(flag.text);
      if (!from) continue;
      const value = flag.text.slice(from[0].length).split(",")[0]!;
      add(value, offset + flag.at + from[0].length);
    }
  }
  return images;
}

/**
 * The images that a YAML text asks for: containers of Kubernetes objects, services of a compose file, jobs of a
 * GitHub or GitLab workflow.
 *
 * @returns undefined where the text cannot be read and may ask for some
 */
export function yamlImages(file: TextFile): ImageReference[] | undefined {
  if (!/image|container/.test(file.text)) return [];
  const documents = documentsOf(file);
  if (!documents) return undefined;
  return documents.flatMap(({ scalars, keys }) => {
    const kubernetes = keys.has("apiVersion") && keys.has("kind");
    const built = new Set(scalars.filter(({ path }) => path[2] === "build").map(({ path }) => path[1]));
    return scalars
      .filter(({ path, value }) => {
        if (value === "") return false;
        const [first, second, third] = path.slice(-3);
        const last = path.at(-1);
        if (kubernetes)
          return (
            last === "image" &&
            typeof second === "number" &&
            /^(?:init|ephemeral)?containers$/i.test(String(first))
          );
        if (COMPOSE.test(file.path))
          return path.length === 3 && path[0] === "services" && third === "image" && !built.has(path[1]);
        if (GITLAB.test(file.path))
          return (
            last === "image" || (last === "name" && path.at(-2) === "image") || path.at(-2) === "services"
          );
        if (textKind(file.path) !== "workflow" || path[0] !== "jobs") return false;
        if (path.length === 3) return last === "container";
        return last === "image" && (path[2] === "container" || path[2] === "services");
      })
      .map(({ value, start }) => ({ text: value, offset: start }));
  });
}
