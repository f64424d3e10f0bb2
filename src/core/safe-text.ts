/**
 * Makes text of unknown origin safe for a terminal: control characters, bidirectional overrides and
 * zero-width characters become visible escapes, so that a file name cannot redraw the screen or hide.
 */
export function safeText(text: string): string {
  return text.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is replaced
    /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g,
    (char) => `\\u{${char.charCodeAt(0).toString(16)}}`,
  );
}
