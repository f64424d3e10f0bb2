import { formObstacles } from "./bundle-obstacles.ts";
import type { BundleQuestion, Obstacle, Prediction } from "./consumer.ts";

/** Algorithms that cosign hashes an attested file with: 2.x SHA-256 alone, 3.x what the statement names. */
const FILE_ALGORITHMS = { 2: ["sha256"], 3: ["sha256", "sha384", "sha512"] } as const;

/** What `cosign verify-blob[-attestation]` compares a bundle with. */
export type Compared =
  | { by: "file" }
  | { by: "digest"; algorithm: string; hex: string; fromStatement: boolean }
  | undefined;

/**
 * Chooses what cosign is given: the file, the digest that the caller states, or else the digest that the statement
 * itself names, by which nothing is compared with the outer world.
 */
export function comparedWith(question: BundleQuestion): Compared {
  const { facts, artifact, digest } = question;
  if (artifact && !artifact.folder) return { by: "file" };
  if (digest) return { by: "digest", ...digest, fromStatement: false };
  if ("problem" in facts || !facts.content) return undefined;
  if (facts.content.kind === "message") {
    const { digest: bytes } = facts.content;
    return bytes && facts.content.algorithm === "SHA2_256"
      ? { by: "digest", algorithm: "sha256", hex: bytes.toString("hex"), fromStatement: true }
      : undefined;
  }
  const own = facts.content.statement?.subjects.flatMap((subject) => Object.entries(subject.digest)) ?? [];
  const [algorithm, hex] = own.find(([name]) => name === "sha256") ?? own[0] ?? [];
  if (algorithm === undefined || hex === undefined || !/^(?:[0-9a-f]{2})+$/i.test(hex)) return undefined;
  return { by: "digest", algorithm, hex, fromStatement: true };
}

/**
 * What `cosign verify-blob` and `verify-blob-attestation` will say, from the bundle's form, the key and the artifact.
 *
 * Source: sigstore/cosign 2.6.5 and 3.1.3, cmd/cosign/cli/verify and pkg/cosign/verify.go; every rule is measured
 * against both in `agreement.test.ts`.
 */
export function predictCosign(question: BundleQuestion, major: 2 | 3): Prediction {
  const { facts } = question;
  const notes: string[] = [];
  if ("problem" in facts)
    return {
      outcome: "refuses",
      obstacles: [
        { why: `it is not a bundle: ${facts.problem}`, fix: "give the bundle's own file, unchanged" },
      ],
      notes,
    };
  const obstacles = [
    ...formObstacles(facts, major === 3),
    ...signerObstacles(question, major),
    ...artifactObstacles(question, major),
  ];
  if (obstacles.length > 0) return { outcome: "refuses", obstacles, notes };
  const compared = comparedWith(question);
  if (facts.signer?.kind === "key" && !question.key)
    notes.push("signed by a key, and no key was given: say whose it should be with --key PUB");
  if (facts.signer?.kind === "certificate" && !question.trustedRoot)
    notes.push(
      "signed by a certificate, and no trusted root was given: name its authorities with --trusted-root FILE",
    );
  if (!compared) notes.push("say what was signed with --artifact FILE or --digest ALGORITHM:HEX");
  if (notes.length > 0) return { outcome: "cannot tell", obstacles, notes };
  if (facts.signer?.kind === "certificate") return foreseen(question);
  return { outcome: question.signedWith === "unknown" ? "cannot tell" : "accepts", obstacles, notes };
}

/** Problems over times: where a Rekor v1 entry gives one, cosign does not look at timestamps. */
const OF_TIMES = ["WB-SIGN-014", "WB-SIGN-015", "WB-LOG-004"];

/** Of certificates, logs and timestamps Waybill's own verification says what is to be expected. */
function foreseen({ own, facts }: BundleQuestion): Prediction {
  const nothing = { obstacles: [], notes: [] };
  if (!own) return { outcome: "cannot tell", ...nothing };
  if ("verified" in own) return { outcome: "accepts", ...nothing };
  const timed = !("problem" in facts) && facts.entries.some((entry) => entry.integratedTime);
  if (timed && OF_TIMES.includes(own.code ?? "")) return { outcome: "cannot tell", ...nothing };
  const fix = "give the root, identity and artifact that belong to it, or sign again";
  return {
    outcome: "refuses",
    obstacles: [{ why: `Waybill refuses it too: ${own.problem}`, fix }],
    notes: [],
  };
}

function signerObstacles(question: BundleQuestion, major: 2 | 3): Obstacle[] {
  const { facts, key, signedWith } = question;
  if ("problem" in facts) return [];
  if (key && facts.signer?.kind === "certificate")
    return [
      { why: "it is signed by a certificate, and a key was given", fix: "give --identity and --issuer" },
    ];
  if (!key || facts.signer?.kind !== "key") return [];
  if (signedWith === "another key")
    return [
      {
        why: "its signature is not by this key over this content",
        fix: "give the key that signed it with --key, and the very file; or sign again",
      },
    ];
  if (signedWith === "sha384" || signedWith === "sha512")
    return [
      {
        why: `it is signed over ${signedWith.toUpperCase().replace("SHA", "SHA-")}; cosign ${major} hashes with SHA-256 for any key that is given by --key`,
        fix: "sign with a P-256 key (`waybill keys create`), whose hash is SHA-256",
      },
    ];
  return [];
}

function artifactObstacles(question: BundleQuestion, major: 2 | 3): Obstacle[] {
  const { facts, artifact, signedWith } = question;
  if ("problem" in facts || !facts.content) return [];
  const compared = comparedWith(question);
  if (facts.content.kind === "message") {
    if (compared?.by === "digest" && signedWith === "ed25519")
      return [
        {
          why: "an Ed25519 signature is over the file itself and cannot be checked by its digest",
          fix: "give the file with --artifact, or sign with a P-256 key",
        },
      ];
    const stated = facts.content.digest?.toString("hex");
    if (compared?.by === "digest" && stated !== undefined && stated !== compared.hex)
      return [
        { why: `it is about sha256:${stated}, not this digest`, fix: "give the digest of the signed file" },
      ];
    return [];
  }
  const subjects = facts.content.statement?.subjects ?? [];
  if (subjects.length === 0 || !compared) return [];
  const algorithms = new Set(subjects.flatMap(({ digest }) => Object.keys(digest)));
  const names = [...algorithms].join(", ") || "none";
  if (compared.by === "digest") {
    if (subjects.some(({ digest }) => sameHex(digest[compared.algorithm], compared.hex))) return [];
    return [
      {
        why: `no subject has the digest ${compared.algorithm}:${compared.hex} (its digests: ${names})`,
        fix: "give the digest of the attested artifact, by an algorithm that the statement names",
      },
    ];
  }
  const usable = FILE_ALGORITHMS[major].filter((name) => algorithms.has(name));
  if (usable.length === 0)
    return [
      {
        why: `its subject has no digest that cosign ${major} makes of a file (it has ${names}; wanted ${FILE_ALGORITHMS[major].join(", ")})`,
        fix: "name the artifact's sha256 as subject and sign again; a waybill-tree-v1 digest is of a folder, which cosign does not hash",
      },
    ];
  // cosign 3 takes the strongest algorithm that the statement names, cosign 2 always SHA-256.
  if (subjects.some(({ digest }) => usable.some((name) => sameHex(digest[name], artifact?.digests[name]))))
    return [];
  return [
    {
      why: "the file is not the attested one: its digest is no subject's",
      fix: "give the attested file with --artifact",
    },
  ];
}

function sameHex(a: string | undefined, b: string | undefined): boolean {
  return a !== undefined && b !== undefined && a.toLowerCase() === b.toLowerCase();
}
