import { MAX_QUESTION } from "./text.ts";

/** Why a question is refused before it reaches classifier, tools and prompt. */
export type Refusal = "too_long" | "injection" | "prompt_leak" | "other_customer";

const RULES: readonly { refusal: Refusal; pattern: RegExp }[] = [
  {
    refusal: "injection",
    pattern:
      /\b(?:ignore|disregard|forget|override|bypass|skip)\b.{0,40}\b(?:instruction|rule|prompt|direction|guideline|polic|everything|restriction|safety)/i,
  },
  {
    refusal: "injection",
    pattern:
      /\b(?:you are now|from now on you|pretend (?:to be|you)|act as|role ?play as|developer mode|jailbreak|do anything now|new (?:system )?instructions?|system ?(?:message|override)\b|admin(?:istrator)? mode)/i,
  },
  {
    refusal: "injection",
    pattern: /(?:^|\s)(?:system|assistant|developer)\s*:|<\|?im_start|\[\/?INST\]|={3,}/i,
  },
  {
    refusal: "injection",
    pattern:
      /\b(?:lookup_order|create_ticket|search_help|tools?\/call|jsonrpc)\b|\b(?:call|run|invoke|execute)\b.{0,30}\b(?:tool|function|command)/i,
  },
  {
    refusal: "prompt_leak",
    pattern:
      /\b(?:system|hidden|initial|original|secret|full|internal)\s+(?:prompt|instructions?|rules|message)\b|\b(?:your|the)\s+(?:exact\s+)?(?:prompt|instructions|few-?shot|context template)\b|\brepeat\b.{0,30}\b(?:above|verbatim|word for word)/i,
  },
  {
    refusal: "other_customer",
    pattern:
      /\b(?:someone|somebody|anyone|anybody) else\W{0,2}s?\b.{0,30}\border|\b(?:other|another|all|every|each)\b.{0,20}\b(?:customers?|people|persons?|users?)\b|\b(?:all|every)\b.{0,10}\borders\b|\b(?:neighbou?r|friend|husband|wife|boss|colleague|ex|stranger)(?:['’]?s)\b.{0,20}\b(?:orders?|parcel|package|account)\b/i,
  },
];

/** The first rule that a question breaks, or null. `raw` is as received, `text` is its plain form. */
export function refusalFor(raw: string, text: string): Refusal | null {
  if (raw.length > MAX_QUESTION) return "too_long";
  return RULES.find(({ pattern }) => pattern.test(raw) || pattern.test(text))?.refusal ?? null;
}
