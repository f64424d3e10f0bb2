import type { RegistryAccess } from "../open-image.ts";
import { askAboutBundle, type Given } from "./bundle-question.ts";
import type { Bench, ConsumerName, Diagnosis, Question } from "./consumer.ts";
import { CONSUMERS } from "./consumers.ts";

/** How long one run of a program may take, in milliseconds. */
export const PROGRAM_TIMEOUT_MS = 60_000;

/** What is asked, of whom. */
export interface DoctorRequest extends Given {
  /** A bundle's file; with `registries` an image reference or `oci:FOLDER`. */
  target: string;
  /** How registries are reached; absent for a bundle. */
  registries?: RegistryAccess;
  /** Whose opinion; all when not given. */
  only?: readonly ConsumerName[];
}

/**
 * Says who would accept a bundle, or an image with its signatures: programs that are installed are run on it offline
 * (for an image, against its registry), admission controllers are judged by their published rules.
 *
 * @returns one diagnosis for each consumer, in the order of the registry
 * @throws WaybillError WB-INPUT-* for what was given, WB-NET-* where a registry does not answer
 */
export async function doctor(request: DoctorRequest, bench: Bench): Promise<Diagnosis[]> {
  const question = await questionOf(request);
  const asked = CONSUMERS.filter(({ name }) => request.only?.includes(name) ?? true);
  return Promise.all(asked.map((consumer) => consumer.diagnose(question, bench)));
}

async function questionOf(request: DoctorRequest): Promise<Question> {
  const { target, registries } = request;
  if (!registries) return askAboutBundle(target, request);
  const { askAboutImage } = await import("./image-question.ts");
  return askAboutImage(target, request, registries);
}

/** The worst that one of them says: a refusal, else an acceptance that nobody contradicts, else nothing. */
export function overall(diagnoses: readonly Diagnosis[]): "allow" | "deny" | "cannot-tell" {
  if (diagnoses.some(({ outcome }) => outcome === "refuses")) return "deny";
  return diagnoses.some(({ outcome }) => outcome === "accepts") ? "allow" : "cannot-tell";
}
