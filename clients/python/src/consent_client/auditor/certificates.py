"""The audit of a certificate: that the log bears it out, and that what is shipped was cleared."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from consent_client.auditor.logs import read_checkpoint, vouched_for
from consent_client.auditor.reports import Fault, Report
from consent_client.auditor.sources import CHECKPOINT, Source
from consent_client.auditor.view import LogView
from consent_client.errors import (
    BadCertificate,
    BadEvidence,
    BadManifest,
    BadProof,
    Malformed,
    ProtocolError,
    Unreadable,
)
from consent_client.manifest_files import ManifestFile, open_manifest
from consent_client.protocol.certificates import (
    Certificate,
    certify_digest,
    check_evidence,
    check_logged,
    key_id,
    verify_certificate,
)
from consent_client.protocol.log import Certify, Close, Session
from consent_client.protocol.manifests import root_of_rows
from consent_client.protocol.policies import Policy
from consent_client.protocol.results import Evidence, verify_evidence
from consent_client.protocol.verdicts import Verdict

EVIDENCE_NAME: Final = "evidence"
SHIPPED_NAME: Final = "shipped.manifest"

type OnRows = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Logged:
    """What the log has of a certificate's session.

    Attributes:
        session: its SESSION entry.
        close: its CLOSE entry.
        certify: its CERTIFY entry, for this certificate.
        size: of the log that they were found in.
    """

    session: Session
    close: Close
    certify: Certify
    size: int


@dataclass(frozen=True, slots=True)
class Proven:
    """A certificate of which everything was proved that can be without pictures."""

    certificate: Certificate
    manifest: ManifestFile
    logged: Logged


def audit_certificate(
    data: bytes, name: str, shipped: Path, evidence: Path, policy: Policy, source: Source
) -> tuple[Report, Proven | None]:
    """Audits a certificate with all that belongs to it.

    Args:
        data: the certificate, an envelope.
        name: what the report calls it.
        shipped: the manifest of what is shipped.
        evidence: a file, or the folder that it lies in under its name.
        policy: whose checkpoints are believed.
        source: the log.

    Returns:
        The report, and what was proved if nothing failed.

    Raises:
        Unreadable, StateError, TransportError: a part of it can not be read.
    """
    report = Report(f"The certificate {name}")
    read = read_certificate(report, data, name)
    if read is None:
        return report, None
    logged = _find(report, read, certify_digest(data), policy, source)
    manifest = open_shipped(report, read, shipped)
    if logged is not None and manifest is not None:
        _check_shown(report, read, logged, manifest, _evidence_file(evidence))
        _bound(report, read, logged)
    _say_limits(report)
    if logged is None or manifest is None or not report.ok:
        return report, None
    return report, Proven(read, manifest, logged)


def read_certificate(report: Report, data: bytes, name: str) -> Certificate | None:
    """What a certificate says, if its builder signed it."""
    try:
        read = verify_certificate(data)
    except ProtocolError as error:
        report.fail(Fault.BAD_CERTIFICATE, name, str(error))
        return None
    report.facts |= {
        "registry": read.registry,
        "builderKey": key_id(read.builder),
        "session": read.session_index,
        "close": read.close_index,
        "screened": read.count,
        "shipped": read.shipped_count,
        "tool": " ".join(read.tool),
        "terms": read.terms,
    }
    report.holds(f"the builder with the key {key_id(read.builder)} signed it")
    return read


def open_shipped(report: Report, read: Certificate, path: Path) -> ManifestFile | None:
    """The shipped manifest, if it is the one that the certificate is about."""
    try:
        manifest = open_manifest(path)
        root, count = root_of_rows(manifest.rows())
    except BadManifest as error:
        report.fail(Fault.BAD_MANIFEST, str(path), str(error))
        return None
    if (root, count) != (read.shipped_root, read.shipped_count):
        message = f"its {count} rows are not what the certificate says is shipped"
        report.fail(Fault.NOT_SHIPPED_AS_SAID, str(path), message)
        return None
    report.holds(f"the manifest of {count} rows is what it says is shipped")
    return manifest


def _find(
    report: Report, read: Certificate, digest: bytes, policy: Policy, source: Source
) -> Logged | None:
    """Looks for the session in the log."""
    where = f"{source.name}/{CHECKPOINT}"
    vouched = vouched_for(report, read_checkpoint(source), policy, where)
    if vouched is None:
        return None
    if vouched.checkpoint.origin != read.registry:
        report.fail(Fault.BAD_CERTIFICATE, where, "the log of another registry than it names")
        return None
    view = LogView(source, vouched.checkpoint)
    try:
        session, close = _session(view, read)
        check_logged(read, session, close)
        report.holds(
            f"the session was fixed as entry {read.session_index}, before it was answered, and "
            f"closed as entry {read.close_index} with these results"
        )
        _check_rest(report, view, read, digest)
    except BadCertificate as error:
        report.fail(Fault.BAD_CERTIFICATE, f"entry {read.session_index}", str(error))
        return None
    except (BadProof, Malformed) as error:
        report.fail(Fault.CONTRADICTION, where, str(error))
        return None
    certify = Certify(read.session_index, digest)
    return Logged(session, close, certify, vouched.checkpoint.size)


def _session(view: LogView, read: Certificate) -> tuple[Session, Close]:
    session, close = view.entry(read.session_index), view.entry(read.close_index)
    if not isinstance(session, Session) or not isinstance(close, Close):
        raise BadCertificate("there is no such session in the log")
    return session, close


def _check_rest(report: Report, view: LogView, read: Certificate, digest: bytes) -> None:
    """Whether the session was closed once, and which certificate of it is the last."""
    certified: dict[bytes, int] = {}
    last = b""
    for at, entry in view.entries(read.session_index + 1):
        match entry:
            case Close(session_index=of) if of == read.session_index and at != read.close_index:
                report.fail(Fault.BAD_SESSION, f"entry {at}", "the session was closed twice")
            case Certify(session_index=of, digest=logged) if of == read.session_index:
                certified.setdefault(logged, at)
                last = logged
            case _:
                pass
    if digest not in certified:
        raise BadCertificate("it is not in the log: no CERTIFY entry has its digest")
    if certified[digest] < read.close_index:
        raise BadCertificate("it was logged before its session was closed")
    report.facts |= {"certify": certified[digest]}
    report.holds(f"it was logged as entry {certified[digest]}")
    if last != digest:
        message = "the builder logged another certificate of this session since"
        report.fail(Fault.SUPERSEDED, f"entry {certified[last]}", message)


def _check_shown(
    report: Report, read: Certificate, logged: Logged, manifest: ManifestFile, file: Path
) -> None:
    """Whether the evidence opens every shipped row as cleared."""
    try:
        with file.open("rb") as opened:
            shown = verify_evidence(
                opened, manifest.rows(), logged.session.count, logged.close, read.close_index
            )
        check_evidence(read, shown)
    except OSError as error:
        raise Unreadable(f"{file} can not be read: {error.strerror}", str(file)) from None
    except (BadEvidence, BadCertificate) as error:
        report.fail(Fault.BAD_EVIDENCE, str(file), str(error))
        return
    report.holds(f"every shipped row was answered: {_answers(shown)}")


def _answers(shown: Evidence) -> str:
    return ", ".join(f"{number} {each.name}" for each, number in shown.verdicts.items())


def _evidence_file(path: Path) -> Path:
    return path / EVIDENCE_NAME if path.is_dir() else path


def _bound(report: Report, read: Certificate, logged: Logged) -> None:
    report.bound(
        "records that were looked at: those in the log of the size that each row was answered for",
        leastLogSize=logged.close.least_log_size,
        mostLogSize=read.close_index,
        entriesSince=logged.size - read.close_index,
    )
    report.bound(
        "rows compared in each space; the others were not fingerprinted there",
        of=read.count,
        **read.spaces,
    )
    report.bound(
        "what was screened and not shipped, as the builder says",
        screened=read.count,
        shipped=read.shipped_count,
        **{each.name.lower(): read.verdicts[each] for each in Verdict},
    )


def _say_limits(report: Report) -> None:
    report.cannot(
        "that the data set is what its manifest says",
        "nobody sees pictures here. Who has them can fingerprint a sample again: "
        "consent audit images.",
    )
    report.cannot(
        "that builder and registry do not lie together",
        "results come from the registry. Canaries and samples make it harder.",
    )
    report.cannot(
        "that no edited copy was missed",
        "matching has a recall below one, by the thresholds in the terms; see docs/recall.md.",
    )
    report.cannot(
        "that nothing else was trained on", "a certificate is about a manifest, not about a model."
    )
    report.cannot(
        "that PERMIT is a licence", "statements are not verified: it says that somebody allows it."
    )
    report.cannot(
        "that no certificate of another session takes its place",
        "the log has digests only: ask the builder for the newest one.",
    )
