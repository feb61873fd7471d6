/** The HPKE suites of the registry. Loaded when something is sealed, and not before: it is large. */

import { Aes256Gcm, CipherSuite, HkdfSha256 } from "@hpke/core";
import { DhkemX25519HkdfSha256 } from "@hpke/dhkem-x25519";
import { XWing } from "@hpke/hybridkem-x-wing";
import type { Suite } from "./sealing-keys";

export function cipherSuite(suite: Suite): CipherSuite {
  return new CipherSuite({
    kem: suite === 1 ? new XWing() : new DhkemX25519HkdfSha256(),
    kdf: new HkdfSha256(),
    aead: new Aes256Gcm(),
  });
}
