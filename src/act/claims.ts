/** What a claim is worth (DESIGN §11). `act/` itself gives the first two and the last. */
export type Grade =
  | "kernel-observed"
  | "process-mutable"
  | "kubelet-claimed"
  | "api-declared"
  | "canary-tested"
  | "unobservable";

export type ClaimName =
  /** The process was started from exactly the release's bytes and cannot change them. */
  | "files"
  /** The program itself is one of the release's files. */
  | "program"
  /** The process runs as the user it was given, with the agents' group and no other. */
  | "user"
  /** No program that it starts can gain a privilege, set-user-id ones included. */
  | "no-new-privileges"
  /** It holds no capability. */
  | "capabilities"
  /** The kernel kills it when Waybill dies, so that it never goes on unsupervised. */
  | "dies-with-waybill"
  /** It has no controlling terminal: it cannot type into the terminal that Waybill was started from. */
  | "terminal";

/** Something said of a started process, and how it is known. */
export interface Claim {
  name: ClaimName;
  /** False: it is not so, or nobody can say that it is. */
  holds: boolean;
  grade: Grade;
  /** Lower case, no full stop. */
  reason: string;
}
