const HUBS =
  /^(?:https?|git|ssh):\/\/(?:[^/@\s]{0,100}@)?(?:[\w-]{1,63}\.){0,3}(?:huggingface\.co|hf\.co|hf-mirror\.com|modelscope\.(?:cn|ai)|civitai\.com)(?:[:/]|$)|^git@(?:huggingface\.co|hf\.co):/;
const HUB_FILE = /\/(?:resolve|raw|blob)\/|\/api\/download\/|\/api\/v1\/models\/|[?&]FilePath=/;
const EXTENSIONS =
  /\.(?:bin|safetensors|gguf|ggml|onnx|pt|pth|ckpt|h5|hdf5|keras|tflite|pkl|pickle|joblib|npz|npy|mlmodel|pb|nemo|llamafile)$/i;
const ARCHIVES = /\.(?:tar|tar\.gz|tgz|tar\.bz2|tar\.xz|tar\.zst|zip)$/i;

/** True for a URL of a model hub. */
export function isHub(url: string): boolean {
  return HUBS.test(url);
}

/** True for a name under which models are stored; archives count where they say so. */
export function isModelName(name: string): boolean {
  return (
    EXTENSIONS.test(name) || (ARCHIVES.test(name) && /model|weight|checkpoint|lora|embedding/i.test(name))
  );
}

/** True for a URL that fetches a file of a model, by its path or by its hub. */
export function isModelUrl(url: string): boolean {
  return isModelName(pathOf(url)) || (isHub(url) && HUB_FILE.test(url));
}

/** True for a hub URL whose revision is a commit: what it fetches cannot change. */
export function isPinnedHubUrl(url: string): boolean {
  return isHub(url) && /\/(?:resolve|raw)\/[0-9a-f]{40}\//.test(url);
}

/** The file name that a URL ends in. */
export function nameOf(url: string): string {
  const path = pathOf(url);
  return path.slice(path.lastIndexOf("/") + 1);
}

function pathOf(url: string): string {
  const end = url.search(/[?#]/);
  return end === -1 ? url : url.slice(0, end);
}

/** True for the name of a hub's repository: `org/name`, or one of the old ones without organisation. */
export function isRepository(name: string): boolean {
  return /^[A-Za-z0-9][\w.-]{0,95}(?:\/[A-Za-z0-9][\w.-]{0,95})?$/.test(name);
}
