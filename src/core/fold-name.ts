/**
 * The key under which two names are one on some file system: NFC (macOS), then full case folding (Windows,
 * macOS). Down, up and down again, so that `ẞ`, `ß` and `ss`, or `Σ`, `σ` and `ς`, meet; NFC once more because
 * case mapping may take a composed letter apart.
 */
export function foldName(name: string): string {
  // Nearly all names are plain ASCII, for which normalising and mapping up change nothing.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the whole of ASCII
  if (/^[\u0000-\u007f]*$/.test(name)) return name.toLowerCase();
  return name.normalize("NFC").toLowerCase().toUpperCase().toLowerCase().normalize("NFC");
}
