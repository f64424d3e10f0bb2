import type { Check } from "./check.ts";
import { escapingPath } from "./escaping-path.ts";
import { inheritedLoader } from "./inherited-loader.ts";
import { modelDownload } from "./model-download.ts";
import { mutableAction } from "./mutable-action.ts";
import { mutableGit } from "./mutable-git.ts";
import { mutableImage } from "./mutable-image.ts";
import { mutableLaunch } from "./mutable-launch.ts";
import { secretInManifest } from "./secret-in-manifest.ts";
import { signedTag } from "./signed-tag.ts";
import { unclaimedFile } from "./unclaimed-file.ts";
import { unhashedDependency } from "./unhashed-dependency.ts";
import { unmatchablePolicy } from "./unmatchable-policy.ts";
import { unpinnedDependency } from "./unpinned-dependency.ts";
import { unpinnedOrigin } from "./unpinned-origin.ts";
import { untrackedLock } from "./untracked-lock.ts";

/** Every check, in the order in which results are shown. A new one is one file and one line here. */
export const CHECKS: readonly Check[] = [
  unpinnedOrigin,
  untrackedLock,
  modelDownload,
  mutableImage,
  signedTag,
  mutableLaunch,
  mutableGit,
  escapingPath,
  unclaimedFile,
  mutableAction,
  unpinnedDependency,
  unhashedDependency,
  inheritedLoader,
  secretInManifest,
  unmatchablePolicy,
];
