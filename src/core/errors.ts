/** Job error codes: the job could not be done, so nothing was decided. Permanent, never reused. */
export const JOB_ERRORS = {
  "WB-INPUT-001": "a file that the job needs does not exist",
  "WB-INPUT-002": "a file that the job needs cannot be read",
  "WB-INPUT-003": "a file is larger than Waybill accepts for its kind",
  "WB-INPUT-004": "a file is not valid UTF-8 text",
  "WB-INPUT-005": "a file is not well-formed YAML or JSON",
  "WB-INPUT-006": "a file does not follow its schema",
  "WB-INPUT-007": "the command line is not understood",
  "WB-INPUT-008": "a passphrase is needed and none was given",
  "WB-INPUT-009": "a passphrase does not open the key",
  "WB-INPUT-010": "a file or folder would be overwritten",
  "WB-INPUT-011": "the manifest cannot be pinned as it is",
  "WB-INPUT-013": "a declared environment value cannot be resolved",
  "WB-INPUT-014": "the declared command cannot be started",
  "WB-INPUT-015": "this version of Node.js is too old",
  "WB-INPUT-016": "a key is of a kind that is not accepted",
  "WB-INPUT-017": "a private key would lie in an agent's folder",
  "WB-INPUT-018": "an optional package is needed and not installed",
  "WB-INPUT-019": "an image reference is not understood",
  "WB-INPUT-020": "an identity token is needed and none can be had",
  "WB-NET-001": "a server cannot be reached",
  "WB-NET-002": "a server's answer is not what its protocol says",
  "WB-NET-003": "a server refuses the credentials, or wants some",
  "WB-NET-004": "a server's answer is larger than Waybill accepts",
  "WB-NET-005": "the bytes that a server sent are not those that were asked for",
  "WB-NET-006": "a connection would not be safe",
  "WB-STORE-001": "a file cannot be written",
  "WB-STORE-002": "the disk is full",
  "WB-STORE-003": "Waybill's own state is damaged",
  "WB-STORE-004": "another process holds what this one needs",
  "WB-STORE-005": "there is no journal",
} as const;

export type JobErrorCode = keyof typeof JOB_ERRORS;

/**
 * The job could not be done. Its message says what happened and where, `hint` how to go on.
 * A finding is not an error: what Waybill was asked to find is returned as data.
 */
export class WaybillError extends Error {
  readonly code: JobErrorCode;
  readonly hint: string;
  override readonly name = "WaybillError";

  constructor(code: JobErrorCode, message: string, options: { hint: string; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
  }
}
