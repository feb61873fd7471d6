/**
 * Knowing a registry again: its name and key are pinned at first use, or given by the page.
 *
 * The key signs the registry's sealing keys. Whoever could exchange it unseen could read what is
 * sealed, so a changed key is refused, and loudly.
 */

import { BadNote, ProtocolError, RegistryKeyChanged, WrongAnswer } from "../errors";
import { checkOrigin, decodeSealingKeys, NoteVerifier, type SealingKey } from "../protocol";
import type { Connection } from "./connection";
import { type RegistryInfo, registryInfo } from "./operations";
import { reachedAt, type State } from "./state";

/** A registry that has shown the key it is known by. */
export interface Meeting {
  readonly info: RegistryInfo;
  /** The key it is known by. */
  readonly verifier: NoteVerifier;
  /** Whether its key was taken on trust just now. */
  readonly firstTime: boolean;
  /** Signed by that key. */
  readonly sealingKeys: readonly SealingKey[];
}

/**
 * Asks a registry who it is, and pins its key at first use.
 *
 * `givenKey` is a note vkey it must show, which then replaces the one pinned; null: the one pinned,
 * or at first use whatever it shows.
 *
 * Throws `RegistryKeyChanged`: another key or name than the one pinned or given. `BadNote`: its
 * sealing keys are not signed by that key. `RegistryProblem`, `TransportError`, `StateError`.
 */
export async function meet(
  connection: Connection,
  state: State,
  givenKey: string | null,
): Promise<Meeting> {
  const { address } = connection;
  const info = await connection.run(registryInfo());
  const verifier = verifierOf(info);
  const { origin } = info;
  const sealingKeys = decodeSealingKeys(info.sealingKeys, origin, verifier);
  return state.locked(async () => {
    const known = await state.registry(origin);
    if (givenKey === null) await checkAddress(state, address, origin);
    checkKey(verifier.vkey, givenKey ?? known?.verifierKey ?? null);
    const fresh = { origin, addresses: [], nextIndex: 0, seen: 0 };
    await state.saveRegistry(
      reachedAt({ ...(known ?? fresh), verifierKey: verifier.vkey }, address),
    );
    return { info, verifier, firstTime: known === null && givenKey === null, sealingKeys };
  });
}

/** An address that was one registry does not become another unseen. */
async function checkAddress(state: State, address: string, origin: string): Promise<void> {
  for (const pinned of await state.registries()) {
    if (pinned.addresses.includes(address) && pinned.origin !== origin) {
      throw new RegistryKeyChanged(
        `${address} was the registry "${pinned.origin}" and now calls itself "${origin}".`,
      );
    }
  }
}

function verifierOf({ origin, verifierKey }: RegistryInfo): NoteVerifier {
  let verifier: NoteVerifier;
  try {
    checkOrigin(origin);
    verifier = NoteVerifier.parse(verifierKey);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new WrongAnswer(`the registry's name or key is malformed: ${error.message}`);
  }
  if (verifier.name !== origin) {
    throw new BadNote("the registry's key is of another name than the registry");
  }
  return verifier;
}

function checkKey(shown: string, expected: string | null): void {
  if (expected !== null && shown !== expected) {
    throw new RegistryKeyChanged(
      "the registry shows another key than the one expected. Somebody may stand between you and " +
        "it: nothing was sent.",
    );
  }
}
