"""A witness in a process: its key, its memory, its listener."""

import os
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

from consent_client.errors import BadNote
from consent_client.private_files import create_private, private_folder, read_private
from consent_client.protocol.cosignatures import WitnessSigner
from consent_client.protocol.notes import NoteVerifier
from registry.errors import ConfigurationError
from registry.services.clock import SystemClock
from registry.witness.app import Witness, create_witness
from registry.witness.memory import Memory

_KEY_FILE = "witness.key"
_KEY_BYTES = 32

_APPLICATION = "registry.witness.serving:application"
_NAME, _FOLDER, _LOGS = "CONSENT_WITNESS_NAME", "CONSENT_WITNESS_FOLDER", "CONSENT_WITNESS_LOGS"


def signer_in(folder: Path, name: str) -> WitnessSigner:
    """The witness's key; made at the first start.

    Raises:
        ConfigurationError: the name is none, or the key file is damaged.
        StateError: the folder or the file is not ours alone, or can not be used.
    """
    path = private_folder(folder) / _KEY_FILE
    if read_private(path) is None:
        create_private(path, secrets.token_bytes(_KEY_BYTES))
    key = read_private(path) or b""
    try:
        return WitnessSigner(name, key)
    except BadNote as error:
        message = f"{path} and the name {name!r} make no key of a witness: {error}"
        raise ConfigurationError(message) from None


def serve_witness(
    name: str,
    folder: Path,
    logs: Sequence[str],
    host: str,
    port: int,
    show: Callable[[str], None],
) -> None:
    """Serves until it is told to end.

    Args:
        name: of the witness.
        folder: where key and memory are.
        logs: verifier keys.
        host: where to listen.
        port: likewise.
        show: is given the witness's verifier key.

    Raises:
        ConfigurationError: a key is none, or another witness uses the folder.
        StateError: the folder can not be used.
    """
    from granian import Granian  # noqa: PLC0415 (its import costs tenths of a second)
    from granian.constants import Interfaces, Loops  # noqa: PLC0415

    signer = signer_in(folder, name)
    _verifiers(logs)
    with Memory(folder).alone():
        show(signer.verifier.vkey)
        os.environ |= {_NAME: name, _FOLDER: str(folder.absolute()), _LOGS: "\n".join(logs)}
        Granian(
            _APPLICATION,
            factory=True,
            address=host,
            port=port,
            interface=Interfaces.ASGI,
            loop=Loops.uvloop,
            workers=1,
            log_enabled=False,
            log_access=False,
            websockets=False,
            respawn_failed_workers=True,
            workers_kill_timeout=10,
        ).serve()


def application() -> object:
    """What granian's process serves; the one that started it holds the folder's lock."""
    folder = Path(os.environ[_FOLDER])
    verifiers = _verifiers(os.environ[_LOGS].split("\n"))
    signer = signer_in(folder, os.environ[_NAME])
    return create_witness(Witness(signer, verifiers, Memory(folder), SystemClock()))


def _verifiers(logs: Sequence[str]) -> list[NoteVerifier]:
    try:
        return [NoteVerifier.parse(vkey) for vkey in logs]
    except BadNote as error:
        message = f"A log's verifier key can not be read: {error}"
        raise ConfigurationError(message) from None
