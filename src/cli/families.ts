/** Commands of two words belong to the family that their first word names; the overview shows a line each. */
export const FAMILIES: Readonly<Record<string, string>> = {
  channel: "what may run where, until when",
  journal: "the transparency log of this machine",
  keys: "keys of your own",
  model: "signatures of a bare model folder (OMS)",
  trust: "who may sign what",
};
