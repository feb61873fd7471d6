"""Knowing a registry again: its name and key are pinned at first use, or given by the person.

The key signs the registry's sealing keys. Whoever could exchange it unseen could read what is
sealed, so a changed key is refused, and loudly.
"""

from dataclasses import dataclass, replace

from consent_client.errors import (
    BadNote,
    ProtocolError,
    RegistryKeyChanged,
    SpaceMismatch,
    WrongAnswer,
)
from consent_client.operations import RegistryInfo, registry_info
from consent_client.protocol.notes import NoteVerifier
from consent_client.protocol.origins import check_origin
from consent_client.protocol.sealing import SealingKey, decode_sealing_keys
from consent_client.protocol.spaces import SPACES
from consent_client.state import PinnedRegistry, State
from consent_client.transport import Connection


@dataclass(frozen=True, slots=True)
class Meeting:
    """A registry that has shown the key it is known by.

    Attributes:
        info: what it says about itself.
        pinned: what is kept of it here.
        first_time: whether its key was taken on trust just now.
        sealing_keys: signed by that key.
    """

    info: RegistryInfo
    pinned: PinnedRegistry
    first_time: bool
    sealing_keys: tuple[SealingKey, ...]


def meet(connection: Connection, state: State, given_key: str | None) -> Meeting:
    """Asks a registry who it is, and pins its key at first use.

    Args:
        connection: to the registry.
        state: where keys are pinned.
        given_key: note vkey it must show, which then replaces the one pinned; None: the pinned one,
            or at first use whatever it shows.

    Raises:
        RegistryKeyChanged: another key or name than the one pinned or given.
        BadNote: its sealing keys are not signed by that key.
        SpaceMismatch: as `check_definitions`.
        StateError, RegistryProblem, TransportError.
    """
    info = connection.run(registry_info())
    verifier = _verifier(info)
    _check_key(verifier.vkey, given_key)
    check_definitions(info)
    with state.locked():
        known = state.registry(info.origin)
        if given_key is None:
            _check_address(state, connection.address, info.origin)
            _check_key(verifier.vkey, None if known is None else known.verifier_key)
        sealing_keys = decode_sealing_keys(info.sealing_keys, info.origin, verifier)
        before = known or PinnedRegistry(connection.address, info.origin, verifier.vkey)
        pinned = replace(before, verifier_key=verifier.vkey).reached_at(connection.address)
        if pinned != known:
            state.save_registry(pinned)
    return Meeting(info, pinned, known is None and given_key is None, sealing_keys)


def check_definitions(info: RegistryInfo) -> None:
    """Refuses a registry that means something else by the id of a space than this client does.

    Vectors of two models are never compared: what they say of each other is chance.

    Raises:
        SpaceMismatch: a space of one id with two definitions.
    """
    for name in info.spaces:
        here = SPACES.get(name)
        if here is not None and here.definition != info.definitions.get(name):
            raise SpaceMismatch(
                f"this registry defines the space {name} otherwise than it is defined here: "
                "nothing was sent. Get its space file from its operator, and name that in "
                "CONSENT_SPACES.",
                name,
            )


def _check_address(state: State, address: str, origin: str) -> None:
    """An address that was one registry does not become another unseen."""
    for pinned in state.registries():
        if address in pinned.addresses and pinned.origin != origin:
            raise RegistryKeyChanged(
                f"{address} was the registry {pinned.origin!r} and now calls itself {origin!r}. "
                "If its operator announced this, give the new key with --registry-key."
            )


def _verifier(info: RegistryInfo) -> NoteVerifier:
    try:
        check_origin(info.origin)
        verifier = NoteVerifier.parse(info.verifier_key)
    except ProtocolError as error:
        raise WrongAnswer(f"the registry's name or key is malformed: {error}") from None
    if verifier.name != info.origin:
        raise BadNote("the registry's key is of another name than the registry")
    return verifier


def _check_key(shown: str, expected: str | None) -> None:
    if expected is not None and shown != expected:
        raise RegistryKeyChanged(
            "the registry shows another key than the one expected. Somebody may stand between "
            "you and it: nothing was sent. If its operator announced a new key, give that one with "
            "--registry-key."
        )
