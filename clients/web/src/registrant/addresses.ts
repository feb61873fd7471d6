/** Where a registry is: its address, checked before anything is sent there. */

import { InsecureRegistry, TransportError } from "../errors";

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/**
 * The registry's base address, without a slash at the end or a port that goes without saying;
 * without a scheme https is meant.
 *
 * Throws `TransportError`: not an address of http or https, or one with a user name, query or
 * fragment. `InsecureRegistry`: plain http to anything but this machine.
 */
export function registryAddress(text: string): string {
  const written = text.trim();
  let url: URL;
  try {
    url = new URL(written.includes("://") ? written : `https://${written}`);
  } catch {
    throw notAnAddress();
  }
  if (!["http:", "https:"].includes(url.protocol) || url.hostname === "") throw notAnAddress();
  if (url.username || url.password || /[?#]/.test(written)) {
    throw new TransportError("a registry's address has no user name, query or fragment");
  }
  if (url.protocol === "http:" && !LOOPBACK.test(url.hostname)) {
    throw new InsecureRegistry(
      `${url.hostname} would be reached over plain http, where everyone on the way can read and ` +
        "change what is sent. Use https.",
    );
  }
  return url.origin + url.pathname.replace(/\/+$/, "");
}

function notAnAddress(): TransportError {
  return new TransportError("a registry's address looks like https://registry.example");
}
