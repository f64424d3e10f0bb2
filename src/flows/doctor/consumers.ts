import type { Consumer } from "./consumer.ts";
import { cosignConsumer } from "./cosign.ts";
import { kyverno } from "./kyverno.ts";
import { modelSigning } from "./model-signing.ts";
import { policyController } from "./policy-controller.ts";
import { waybill } from "./waybill.ts";

/** Every consumer whose opinion is asked, in the order of the answer. */
export const CONSUMERS: readonly Consumer[] = [
  waybill,
  cosignConsumer(2),
  cosignConsumer(3),
  modelSigning,
  policyController,
  kyverno,
];
