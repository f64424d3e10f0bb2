import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { sha256 } from "../../core/digest.ts";
import type { DeclaredComponent } from "../../core/manifest.ts";
import {
  claimsToBeAboutImage,
  type Descriptor,
  isAboutImage,
  MAX_MANIFEST_BYTES,
  namesManifest,
  type OciManifest,
  parseOciManifest,
} from "../../formats/oci.ts";
import { walkTree } from "../../hash/walk.ts";
import { componentName } from "../detect.ts";
import type { ComponentKind, Described, DescribeInput } from "../kind.ts";
import type { ObservedProblem } from "../observed.ts";
import { cleanPath, type Selection } from "../select.ts";

export const IMAGE_MEDIA_TYPE = "application/vnd.oci.image.manifest.v1+json";
export const INDEX_MEDIA_TYPE = "application/vnd.oci.image.index.v1+json";

/** A container image as an OCI layout on disk; its digest is the manifest's, as registries name it. */
export const image: ComponentKind = {
  kind: "image",
  about: "a container image as an OCI layout",
  wholeFiles: true,
  detect(view) {
    return view.files
      .filter((file) => file.path.endsWith("/oci-layout"))
      .filter((file) => view.head(file.path, 256).includes("imageLayoutVersion"))
      .map(({ path }) => path.slice(0, -"/oci-layout".length))
      .map((path) => ({
        declared: { kind: "image", name: componentName(path, "image"), path },
        because: `${path} is an OCI image layout`,
      }));
  },
  select: selectImage,
  describe: describeImage,
};

/**
 * Chooses the blobs that the layout's one manifest reaches. `index.json` and `oci-layout` only point: they are
 * outside the digest, as they are in a registry. Every manifest on the way is read here and its bytes are
 * compared with the digest that names it; all blobs are hashed afterwards like any other file.
 */
async function selectImage(declared: DeclaredComponent, folder: string): Promise<Selection> {
  const base = cleanPath(declared.path ?? "");
  const layout = join(folder, base);
  const walk = await walkTree(layout);
  const selection: Selection = { files: [], links: [], problems: [], prefix: base === "" ? "" : `${base}/` };
  const problem = (
    path: string,
    detail: string,
    kind: ObservedProblem["problem"] = "malformed",
  ): Selection => {
    selection.problems.push({ path, problem: kind, detail });
    return selection;
  };
  const onDisk = new Map(walk.files.map((file) => [file.path, file]));
  if (!onDisk.has("oci-layout") || !onDisk.has("index.json"))
    return problem(".", walk.problems[0]?.detail ?? "it has no index.json and oci-layout", "missing");
  const read = (path: string): string | undefined => readText(join(layout, path));

  const marker = read("oci-layout");
  if (marker === undefined || !/"imageLayoutVersion"\s*:\s*"1\./.test(marker))
    return problem("oci-layout", "it does not name image layout version 1");
  const index = parseOciManifest(read("index.json") ?? "");
  if (typeof index === "string") return problem("index.json", index);
  const isThere = ({ sha256: hex }: Descriptor) => onDisk.has(`blobs/sha256/${hex}`);
  const manifestOf = (named: Descriptor): OciManifest | undefined => {
    const text = isThere(named) ? read(`blobs/sha256/${named.sha256}`) : undefined;
    if (text === undefined || sha256(text) !== named.sha256) return undefined;
    const manifest = parseOciManifest(text);
    return typeof manifest === "string" ? undefined : manifest;
  };
  // Signatures of the image may lie in its layout; they belong to no release, and may have stayed behind.
  const images: Descriptor[] = [];
  const beside: string[] = [];
  for (const named of index.blobs) {
    const about = claimsToBeAboutImage(named) ? filesAbout(named, isThere, manifestOf) : undefined;
    if (about) beside.push(...about);
    else images.push(named);
    if (images.length > 1) break;
  }
  if (!index.isIndex || images.length !== 1)
    return problem(
      "index.json",
      `it names ${images.length === 0 ? "no image" : "more than one image"} and must name one`,
    );
  if (beside.length > 0)
    selection.beside = [...new Set(beside)].filter(
      (path) => onDisk.has(path) && isOwnName(join(layout, path)),
    );

  const queue: Descriptor[] = [images[0]!];
  const seen = new Set([images[0]!.sha256]);
  // The queue grows while it is walked.
  for (const next of queue) {
    if (queue.length > 10_000) return problem("index.json", "it reaches more than 10,000 blobs");
    const path = `blobs/sha256/${next.sha256}`;
    const file = onDisk.get(path);
    if (!file) {
      problem(path, "the manifest names it and it is not there", "missing");
      continue;
    }
    if (file.size !== next.size) problem(path, `it has ${file.size} bytes and is declared with ${next.size}`);
    selection.files.push(file);
    if (!namesManifest(next)) continue;
    const text = read(path);
    if (text === undefined || sha256(text) !== next.sha256) {
      problem(path, "its bytes are not those that its name promises");
      continue;
    }
    const manifest = parseOciManifest(text);
    if (typeof manifest === "string") problem(path, manifest);
    else
      for (const blob of manifest.blobs) {
        if (!seen.has(blob.sha256)) queue.push(blob);
        seen.add(blob.sha256);
      }
  }
  return selection;
}

/**
 * The blobs behind an entry that says that it is a signature or the like, or lists such; undefined where something
 * behind it can be run as an image.
 */
function filesAbout(
  named: Descriptor,
  isThere: (named: Descriptor) => boolean,
  manifestOf: (named: Descriptor) => OciManifest | undefined,
): string[] | undefined {
  const files: string[] = [];
  const add = (each: Descriptor, mayList: boolean): boolean => {
    if (!isThere(each)) return true;
    const manifest = manifestOf(each);
    if (!manifest) return false;
    files.push(...[each, ...manifest.blobs].map(({ sha256: hex }) => `blobs/sha256/${hex}`));
    if (isAboutImage(manifest)) return true;
    return mayList && manifest.isIndex && manifest.blobs.every((listed) => add(listed, false));
  };
  return add(named, true) ? files : undefined;
}

/** Whether a blob of at most 4 MiB has the bytes that its name promises: nothing else may lie there unseen. */
function isOwnName(path: string): boolean {
  const bytes = readBytes(path);
  return bytes !== undefined && sha256(bytes) === basename(path);
}

function describeImage({ declared, files, read }: DescribeInput): Described | ObservedProblem {
  for (const file of files)
    if (file.path !== `blobs/sha256/${file.sha256}`)
      return {
        path: file.path,
        problem: "malformed",
        detail: `its bytes have the digest sha256:${file.sha256}`,
      };
  const root = rootOf(files, read);
  if (root === undefined)
    return { path: ".", problem: "malformed", detail: "no manifest reaches all its blobs" };
  const digest = `sha256:${root.sha256}` as const;
  if (declared.ref?.includes("@sha256:") && !declared.ref.endsWith(`@${digest}`))
    return {
      path: ".",
      problem: "malformed",
      detail: `the layout holds ${digest}, the manifest declares ${declared.ref}`,
    };
  return { digest, mediaType: root.isIndex ? INDEX_MEDIA_TYPE : IMAGE_MEDIA_TYPE };
}

/** The manifest or index that no other one names. */
function rootOf(
  files: DescribeInput["files"],
  read: DescribeInput["read"],
): { sha256: string; isIndex: boolean } | undefined {
  const manifests = new Map<string, { isIndex: boolean }>();
  const named = new Set<string>();
  for (const file of files) {
    if (file.size > MAX_MANIFEST_BYTES) continue;
    const bytes = read(file.path, MAX_MANIFEST_BYTES);
    if (bytes[0] !== 0x7b) continue;
    const manifest = parseOciManifest(bytes.toString("utf8"));
    if (typeof manifest === "string") continue;
    manifests.set(file.sha256, manifest);
    for (const blob of manifest.blobs) named.add(blob.sha256);
  }
  const roots = [...manifests].filter(([hex]) => !named.has(hex));
  return roots.length === 1 ? { sha256: roots[0]![0], isIndex: roots[0]![1].isIndex } : undefined;
}

function readText(path: string): string | undefined {
  return readBytes(path)?.toString("utf8");
}

function readBytes(path: string): Buffer | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const stat = fstatSync(fd);
    return stat.isFile() && stat.size <= MAX_MANIFEST_BYTES ? readFileSync(fd) : undefined;
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
