/** True for a full git commit name: a branch or tag can be moved, 40 hex digits cannot. */
export function isCommit(text: string | undefined): boolean {
  return text !== undefined && /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/i.test(text);
}

/** True for an image reference that names its manifest by digest. */
export function isPinnedImage(reference: string): boolean {
  return /@sha256:[0-9a-f]{64}$/.test(reference);
}

/** True for a complete version without range, tag or wildcard, as npm writes it. */
export function isExactSemver(version: string): boolean {
  return /^v?\d{1,10}\.\d{1,10}\.\d{1,10}(?:-[0-9A-Za-z.-]{1,100})?(?:\+[0-9A-Za-z.-]{1,100})?$/.test(
    version,
  );
}

/** True for a complete Python version (PEP 440), without wildcard. */
export function isExactPep440(version: string): boolean {
  return /^v?(?:\d{1,10}!)?\d{1,10}(?:\.\d{1,10}){0,8}(?:[-_.]?[a-zA-Z]{1,8}[-_.]?\d{0,10}){0,3}(?:\+[0-9A-Za-z._-]{1,100})?$/.test(
    version,
  );
}

/** The git URL of a requirement or dependency, with its reference: `git+https://host/x@main`, `…#branch`. */
export function gitReference(text: string): { url: string; ref: string | undefined } | undefined {
  const short = /^(github|gitlab|bitbucket|gist):([^#\s]{1,200})(?:#(\S{1,200}))?$/.exec(text);
  if (short) return { url: `${short[1]}:${short[2]}`, ref: short[3] };
  if (!/^git\+[a-z+]{1,10}:\/\/|^git:\/\/|^git\+ssh:|^git@|\.git(?:#|$)/.test(text)) return undefined;
  const [head = "", fragment] = text.split("#", 2);
  // A commit behind `#` (npm) or behind the last `@` of the path (pip); `user@host` is no reference.
  const path = head.indexOf("/", head.indexOf("://") + 3);
  const at = head.lastIndexOf("@");
  if (at > path && path !== -1 && !head.startsWith("git@"))
    return { url: head.slice(0, at), ref: head.slice(at + 1) };
  const ref = fragment === undefined || /^(?:egg|subdirectory)=/.test(fragment) ? undefined : fragment;
  return { url: head, ref };
}
