/** Standard base64 with its padding, and only the one spelling that an encoder gives; else null. */
export function decodeBase64(text: string): Buffer | null {
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64") === text ? bytes : null;
}
