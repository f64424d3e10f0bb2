import {
  ERASURE_TYPE,
  type Erasure,
  EXTERNAL_TYPE,
  type ExternalEntry,
  erasureSchema,
  externalSchema,
} from "../journal/own-statements.ts";
import type { PredicateType } from "./predicate.ts";

// The journal makes and reads these itself; here they have their names for trust policies.

export const erasurePredicate: PredicateType<Erasure> = {
  uri: ERASURE_TYPE,
  short: "erasure",
  title: "an envelope was taken out of the journal on purpose",
  schema: erasureSchema,
};

export const externalEntryPredicate: PredicateType<ExternalEntry> = {
  uri: EXTERNAL_TYPE,
  short: "external-entry",
  title: "an entry of the journal came from outside, without its envelope",
  schema: externalSchema,
};
