import type { ToolName } from "./find.ts";

/** How a part comes: always through an ordinary package client, into the cache, never into the system. */
export type Source =
  /** `go install PACKAGE@VERSION`; Go checks every module against its checksum database. */
  | { by: "go"; package: string; version: string; program: string }
  /** A virtual environment filled from a file of exact versions with hashes, which lies beside this one. */
  | { by: "pip"; requirements: string; version: string; program: string }
  /** A Debian package, downloaded and unpacked: nothing is installed and no daemon starts. apt checks its signature. */
  | { by: "apt"; package: string; program: string };

/** One real program that tests run against. */
export interface Part {
  name: ToolName;
  /** What is missing from the tests without it. */
  why: string;
  source: Source;
}

/**
 * The toolbox. Versions are exact; to change one, change it here and run `npm run toolbox`.
 *
 * Rekor: 2.3.0 takes no DSSE entries, 2.1.0 takes both kinds. Timestamp authority: from 2.1.5 on it wants a newer Go.
 */
export const PARTS: readonly Part[] = [
  {
    name: "cosign3",
    why: "bundles, images and the journal both ways; trusted roots",
    source: {
      by: "go",
      package: "github.com/sigstore/cosign/v3/cmd/cosign",
      version: "v3.1.3",
      program: "cosign",
    },
  },
  {
    name: "cosign2",
    why: "bundles and `sha256-….sig` tags both ways",
    source: {
      by: "go",
      package: "github.com/sigstore/cosign/v2/cmd/cosign",
      version: "v2.6.5",
      program: "cosign",
    },
  },
  {
    name: "model_signing",
    why: "OMS model signatures both ways",
    source: {
      by: "pip",
      requirements: "model-signing.txt",
      version: "1.1.1",
      program: "model_signing",
    },
  },
  {
    name: "fulcio",
    why: "keyless signing: the certificate authority of the private Sigstore",
    source: { by: "go", package: "github.com/sigstore/fulcio", version: "v1.8.8", program: "fulcio" },
  },
  {
    name: "rekor-server",
    why: "keyless signing: the log of the private Sigstore",
    source: {
      by: "go",
      package: "github.com/sigstore/rekor-tiles/v2/cmd/rekor-server/posix",
      version: "v2.1.0",
      program: "posix",
    },
  },
  {
    name: "timestamp-server",
    why: "keyless signing: the timestamp authority of the private Sigstore",
    source: {
      by: "go",
      package: "github.com/sigstore/timestamp-authority/v2/cmd/timestamp-server",
      version: "v2.1.2",
      program: "timestamp-server",
    },
  },
  {
    name: "registry",
    why: "images and releases against distribution 3",
    source: {
      by: "go",
      package: "github.com/distribution/distribution/v3/cmd/registry",
      version: "v3.1.2",
      program: "registry",
    },
  },
  {
    name: "docker-registry",
    why: "images and releases against distribution 2, as Debian ships it",
    source: { by: "apt", package: "docker-registry", program: "usr/bin/docker-registry" },
  },
  {
    name: "crane",
    why: "images and layouts that others make and read",
    source: {
      by: "go",
      package: "github.com/google/go-containerregistry/cmd/crane",
      version: "v0.22.1",
      program: "crane",
    },
  },
  {
    name: "tlog-fsck",
    why: "the journal, audited by tessera's own fsck",
    source: {
      by: "go",
      package: "github.com/transparency-dev/tessera/cmd/fsck",
      version: "v1.0.4",
      program: "fsck",
    },
  },
];
