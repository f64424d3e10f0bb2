import type { Rule } from "../core/finding.ts";

const rule = (
  code: string,
  title: string,
  why: string,
  fix: string,
  blocksAt: Rule["blocksAt"] = "strict",
): Rule => ({ code, group: "hygiene", title, why, fix, blocksAt });

/** The rules of model signatures (OMS). They are asked for by a rule of trust for `model`. */
export const MODEL_RULES = {
  absent: rule(
    "WB-MODEL-030",
    "each model has a signature of its own that could be checked",
    "Trust names who signs models. The release's signature covers the same bytes, but it says who released the agent, not who stands for the weights.",
    "waybill sign, or put the publisher's model.sig beside the model",
  ),
  malformed: rule(
    "WB-MODEL-031",
    "a model signature is well formed",
    "A statement with names that lead out of the model, with one name twice, or with a digest that does not follow from its files can be read in two ways. Nobody's signature makes it good.",
    "sign the model again: waybill model sign PATH",
    "baseline",
  ),
  signer: rule(
    "WB-MODEL-032",
    "the signer of a model is one that trust names for models",
    "Anyone can sign a model. Only signers whom trust names for `model` say anything about it.",
    "get the publisher's signature, or let the operator name the signer for `model` in trust",
  ),
  changed: rule(
    "WB-MODEL-033",
    "a model's files are those that its signer signed",
    "A signer whom trust names stands for other bytes than the ones here: the model was changed after it was signed, or it is another one.",
    "get the model again from its publisher, or sign it again if the change is meant: waybill sign",
    "baseline",
  ),
  unlisted: rule(
    "WB-MODEL-034",
    "a model holds no file that its signer did not sign",
    "A file beside the signed ones is loaded like them: a configuration, a tokenizer or code that the publisher never shipped.",
    "remove it, or sign the model with it: waybill sign",
    "baseline",
  ),
  ignored: rule(
    "WB-MODEL-035",
    "a model's signature leaves no file out",
    "The signer told verifiers to ignore these paths. Whatever lies there is in the model and under no model signature.",
    "let the publisher sign the whole model, or remove the files",
  ),
} as const satisfies Record<string, Rule>;
