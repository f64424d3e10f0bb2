/**
 * True for a host name that can only be this machine: `localhost`, names below it, 127.0.0.0/8 and ::1. Takes the
 * `hostname` of a URL, which has IPv4 addresses in one spelling.
 */
export function isLoopback(hostname: string): boolean {
  if (hostname === "localhost" || hostname.endsWith(".localhost") || hostname === "[::1]") return true;
  return /^127\.(?:\d{1,3})\.(?:\d{1,3})\.(?:\d{1,3})$/.test(hostname);
}
