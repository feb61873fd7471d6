/**
 * The canonical form of a web address, and its fingerprint (space `url-1`).
 *
 * Lists of pictures hold addresses. Two spellings of one address are one fingerprint when RFC 3986
 * says that they mean the same (§6.2.2 and §6.2.3), and no more than that: the rules are told in
 * the Python client's `fingerprints.url`, and `tests/vectors/url.json` holds both clients to them.
 * Names outside ASCII get their `xn--` form from the browser, which takes symbols too: those, which
 * IDNA 2008 does not have, are refused here as they are there. Its rule for names that mix writing
 * directions is not looked at: no such name can be registered.
 */

import { BadUrl, Malformed } from "../errors";
import { type Bytes, utf8 } from "../protocol";
import { sha256 } from "../protocol/digests";

export const URL_SPACE = "url-1";

/** Characters of an address: the length RFC 9110 §4.1 asks every program to bear. */
export const MAX_URL = 8_000;

const DEFAULT_PORTS: ReadonlyMap<string, string> = new Map([
  ["http", "80"],
  ["https", "443"],
]);
const MAX_PORT = 65_535;
const MAX_HOST = 253; // RFC 1035 §2.3.4, without the last dot

const ENDS = /^[\u0000-\u0020]+|[\u0000-\u0020]+$/g;
const CONTROL = /[\u0000-\u001f\u007f]/;
// RFC 3986, appendix B, for what has an authority.
const PARTS = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?#]*)([^?#]*)(\?[^#]*)?(?:#.*)?$/s;
const AUTHORITY = /^(\[[^\]]*\]|[^:[\]]*)(?::([0-9]*))?$/;
const ASCII = /^[!-~]*$/;
const LABEL = /^[a-z0-9_-]{1,63}$/;
const NUMBER = /^(?:[0-9]+|0x[0-9a-f]*)$/;
const IPV4 = /^(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:\.(?!$)|$)){4}$/;
// Letters, marks and digits (RFC 5892 §2.1), its exceptions and joiners (§2.6, §2.8), and dots.
const NAME =
  /^[\p{L}\p{Mn}\p{Mc}\p{Nd}_.\-\u00b7\u0375\u05f3\u05f4\u06fd\u06fe\u0f0b\u3007\u30fb\u3002\u200c\u200d]*$/u;
const IPV6 = /^[0-9A-Fa-f:.]+$/;
const ESCAPE = /%([0-9A-Fa-f]{2})?/g;
const REFUSED_CHARACTERS = /[^A-Za-z0-9._~!$&'()*+,;=:@/?%[\]-]+/g;
const UNRESERVED = /[A-Za-z0-9._~-]/;

/**
 * The one spelling of an address that is fingerprinted; it is its own canonical form.
 *
 * Throws `BadUrl`: not an http or https address, or one that has no canonical form.
 */
export function canonicalUrl(url: string): string {
  if (Array.from(url).length > MAX_URL) throw tooLong();
  const trimmed = url.replaceAll(ENDS, "");
  if (CONTROL.test(trimmed)) throw new BadUrl("an address holds no control characters");
  const [, givenScheme = "", authority = "", path = "", query = ""] = PARTS.exec(trimmed) ?? [];
  const scheme = givenScheme.toLowerCase();
  const defaultPort = DEFAULT_PORTS.get(scheme);
  if (defaultPort === undefined) throw new BadUrl("an address begins with http:// or https://");
  const place = withoutDotSegments(normalEscapes(path)) || "/";
  const host = canonicalAuthority(authority, defaultPort);
  const canonical = `${scheme}://${host}${place}${normalEscapes(query)}`;
  if (canonical.length > MAX_URL) throw tooLong();
  return canonical;
}

/** The 32-byte fingerprint of an address: SHA-256 of its canonical form. `BadUrl` as that. */
export const urlFingerprint = (url: string): Bytes => sha256(utf8(canonicalUrl(url)));

function tooLong(): BadUrl {
  return new BadUrl(`an address has at most ${MAX_URL} characters`);
}

function canonicalAuthority(authority: string, defaultPort: string): string {
  if (authority.includes("@")) {
    throw new BadUrl("an address with a user name or password is not taken");
  }
  const [, host, givenPort = ""] = AUTHORITY.exec(authority) ?? [];
  if (host === undefined) throw unreadableHost();
  const port = givenPort.replace(/^0+/, "");
  if (givenPort !== "" && (port === "" || Number(port) > MAX_PORT)) {
    throw new BadUrl("a port is a number from 1 to 65535");
  }
  const name = canonicalHost(host);
  return port === "" || port === defaultPort ? name : `${name}:${port}`;
}

function canonicalHost(host: string): string {
  if (host.startsWith("[")) return canonicalIpv6(host);
  const name = asciiName(host);
  const labels = name.replace(/\.$/, "").split(".");
  if (NUMBER.test(labels.at(-1) ?? "")) {
    if (!IPV4.test(name)) {
      throw new BadUrl("the host looks like a number, but is no IPv4 address");
    }
    return name;
  }
  if (name.length > MAX_HOST || !labels.every((label) => LABEL.test(label))) {
    throw unreadableHost();
  }
  return name;
}

function canonicalIpv6(host: string): string {
  const written = IPV6.test(host.slice(1, -1)) ? browserHost(host) : null;
  if (written === null) throw new BadUrl("the host is no IPv6 address");
  return written;
}

function asciiName(host: string): string {
  if (ASCII.test(host)) return host.toLowerCase();
  const name = NAME.test(host.normalize("NFKC")) ? browserHost(host) : null;
  if (name === null) throw new BadUrl("the host's name has no ASCII form");
  return name;
}

/** A host as the browser writes it; null where it does not take it. */
function browserHost(host: string): string | null {
  try {
    return new URL(`http://${host}/`).hostname;
  } catch {
    return null;
  }
}

function unreadableHost(): BadUrl {
  return new BadUrl("the address has no host that can be read");
}

function normalEscapes(text: string): string {
  const escaped = text.replaceAll(REFUSED_CHARACTERS, (refused) =>
    [...bytesOf(refused)].map(encoded).join(""),
  );
  return escaped.replaceAll(ESCAPE, (_, digits?: string) => {
    if (digits === undefined) return "%25";
    const byte = Number.parseInt(digits, 16);
    const character = String.fromCharCode(byte);
    return UNRESERVED.test(character) ? character : encoded(byte);
  });
}

const encoded = (byte: number): string => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;

function bytesOf(text: string): Bytes {
  try {
    return utf8(text);
  } catch (error) {
    throw error instanceof Malformed ? new BadUrl("the address is not text") : error;
  }
}

/** RFC 3986 §5.2.4 for a path that is empty or begins with a slash. */
function withoutDotSegments(path: string): string {
  if (path === "") return path;
  const kept: string[] = [];
  const segments = path.split("/").slice(1);
  for (const segment of segments) {
    if (segment === "..") kept.pop();
    else if (segment !== ".") kept.push(segment);
  }
  if ([".", ".."].includes(segments.at(-1) ?? "")) kept.push("");
  return `/${kept.join("/")}`;
}
