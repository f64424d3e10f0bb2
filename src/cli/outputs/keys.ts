import { z } from "zod";
import { hex } from "./shared.ts";

/** `keys create` prints one object, `keys show` a list with the public keys. */
export const keysOutputSchema = z.union([
  z.strictObject({ name: z.string(), keyId: hex }),
  z.array(
    z.strictObject({ name: z.string(), keyId: hex, publicKey: z.string().meta({ description: "PEM" }) }),
  ),
]);
