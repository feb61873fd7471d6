"""Logging a builder's certificate: the registry's word that it was there by then.

What can be checked here is checked before it is logged: the signature, and every field that is
about the session. What was shipped is the builder's claim; the evidence shows it, to whoever looks.
"""

import asyncio
import hmac

from consent_client.protocol.certificates import (
    Certificate,
    certify_digest,
    verify_certificate,
)
from consent_client.protocol.log import Certify
from registry.errors import Conflict, InvalidInput
from registry.services.builders import Builder
from registry.services.running import Registry
from registry.services.sessions import Closing, close_screening, own_screening
from registry.store import committed, entries
from registry.store.screenings import ScreeningRow


async def certify(
    registry: Registry, builder: Builder, screening_id: bytes, certificate: bytes
) -> int:
    """Logs a certificate, or finds that it is logged already.

    Returns:
        The index of its CERTIFY entry.

    Raises:
        UnknownScreening: not a session of this builder.
        InvalidInput: the session is not committed or not closed, or the certificate says something
            else than it.
        ProtocolError: it is no certificate, or not signed by the key that the session was opened
            with.
        Conflict: another one is logged, and this one does not say that it takes its place.
    """
    async with registry.store.read() as connection:
        row = await own_screening(connection, builder, screening_id)
        known = await committed.session(connection, screening_id)
    if known is None or known.close_index is None:
        message = "Certified are committed screenings that were closed, and this one is not."
        raise InvalidInput(message)
    read = await asyncio.to_thread(verify_certificate, certificate, known.builder_key)
    closing = await close_screening(registry, builder, screening_id)
    _check(registry, row, known, closing, read)
    digest = certify_digest(certificate)
    async with registry.store.write() as connection:
        now = await committed.session(connection, screening_id)
        before = None if now is None else now.certify_digest
        if now is not None and now.certify_index is not None and before is not None:
            if hmac.compare_digest(before, digest):
                return now.certify_index
            if read.supersedes != before:
                message = "Another certificate of this screening is logged already."
                raise Conflict(message)
        entry = Certify(known.session_index, digest)
        index = await entries.append(connection, [entry.encode()])
        await committed.certify(connection, screening_id, index, digest)
    registry.publisher.wake()
    return index


def _check(
    registry: Registry,
    row: ScreeningRow,
    known: committed.CommittedRow,
    closing: Closing,
    read: Certificate,
) -> None:
    said = (
        read.registry,
        read.session_index,
        read.close_index,
        read.results_root,
        read.terms,
        dict(read.verdicts),
        dict(read.spaces),
    )
    true = (
        registry.settings.origin,
        known.session_index,
        known.close_index,
        known.results_root,
        row.terms,
        closing.verdicts,
        closing.present,
    )
    names = (
        "registry",
        "session index",
        "close index",
        "results root",
        "terms",
        "verdicts",
        "spaces",
    )
    for name, ours, theirs in zip(names, true, said, strict=True):
        if ours != theirs:
            message = f"The certificate's {name}: not this screening's."
            raise InvalidInput(message)
