import { accessWindowPredicate } from "./access-window.ts";
import { channelPredicate } from "./channel.ts";
import { erasurePredicate, externalEntryPredicate } from "./journal-statements.ts";
import type { PredicateType } from "./predicate.ts";
import { releasePredicate } from "./release.ts";
import { trustVersionPredicate } from "./trust-version.ts";
import { verdictPredicate } from "./verdict.ts";

/** Every kind of evidence that Waybill defines itself. A new one: its file, and its line here. */
export const PREDICATES: readonly PredicateType[] = [
  releasePredicate,
  channelPredicate,
  trustVersionPredicate,
  verdictPredicate,
  accessWindowPredicate,
  externalEntryPredicate,
  erasurePredicate,
];
