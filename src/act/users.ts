import { WaybillError } from "../core/errors.ts";

/** The agent's user where Waybill is root and nobody names another; "nonroot" of distroless images. */
export const DEFAULT_USER = 65532;

/**
 * The one group of every agent that Waybill starts as another user. It never follows from a release: a gid of
 * its choice could be `shadow`, and a gid equal to an allowed uid may be somebody's group all the same.
 */
export const AGENT_GROUP = 65532;

const MAX_USER = 4_294_967_294;

/** Users from `first` to `last`, both included. */
export interface UserRange {
  first: number;
  last: number;
}

/**
 * Reads WAYBILL_USERS: numbers and ranges with commas between them, `65532,10000-20000`. Not set or empty: none.
 *
 * @throws WaybillError WB-INPUT-014
 */
export function parseUsers(text: string | undefined): UserRange[] {
  if (text === undefined || text.trim() === "") return [];
  return text.split(",").map((word) => {
    const [, from, to] = /^\s*(\d{1,10})(?:-(\d{1,10}))?\s*$/.exec(word) ?? [];
    const first = Number(from);
    const last = to === undefined ? first : Number(to);
    if (from === undefined || first < 1 || last < first || last > MAX_USER)
      throw new WaybillError(
        "WB-INPUT-014",
        `WAYBILL_USERS holds ${JSON.stringify(word)}, which is no user`,
        {
          hint: "give numbers and ranges of user ids other than 0, such as 65532,10000-20000",
        },
      );
    return { first, last };
  });
}

/** What a run is to be started as: our own user, a certain one, or one of these that nobody else uses. */
export type UserChoice = { own: true } | { user: number } | { oneOf: readonly UserRange[] };

/**
 * Decides as which user an agent runs. A Waybill that is root could become anybody, so the release chooses among
 * the users that the operator allows: 65532 and those of WAYBILL_USERS. Where the manifest names none and the
 * operator gives a range, each run gets a user of its own out of it.
 *
 * @param declared `start.user` of the manifest
 * @param users the value of WAYBILL_USERS
 * @throws WaybillError WB-INPUT-014 for a user that is not allowed, or that we cannot become
 */
export function chooseUser(declared: number | undefined, users: string | undefined): UserChoice {
  const us = process.getuid?.();
  if (declared === 0) throw new RangeError("an agent never runs as root");
  if (us === 0) {
    const allowed = parseUsers(users);
    if (declared === undefined) {
      const ranges = allowed.filter(({ first, last }) => first < last);
      return ranges.length > 0 ? { oneOf: ranges } : { user: DEFAULT_USER };
    }
    if (declared === DEFAULT_USER || allowed.some((a) => a.first <= declared && declared <= a.last))
      return { user: declared };
    throw new WaybillError(
      "WB-INPUT-014",
      `the manifest declares user ${declared}, who is not allowed here`,
      {
        hint: `whoever operates this machine allows users, not a release: set WAYBILL_USERS=${declared}, or take start.user out`,
      },
    );
  }
  if (declared === undefined || us === undefined || declared === us) return { own: true };
  throw new WaybillError(
    "WB-INPUT-014",
    `the manifest declares user ${declared}; uid ${us} cannot become it`,
    {
      hint: `run waybill as root or as uid ${declared}, or take start.user out`,
    },
  );
}
