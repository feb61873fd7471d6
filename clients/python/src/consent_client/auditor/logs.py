"""The audit of a whole log: every entry hashed, every tile compared, every state replayed."""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from consent_client.auditor.keeping import Keeping
from consent_client.auditor.replay import Place, Replay
from consent_client.auditor.reports import Fault, Report
from consent_client.auditor.sources import CHECKPOINT, Source, ahead
from consent_client.auditor.tree import TreeCheck
from consent_client.auditor.view import MAX_ENTRIES, beginning
from consent_client.errors import BadProof, Malformed, ProtocolError, Unreadable
from consent_client.protocol.checkpoints import Checkpoint
from consent_client.protocol.log import EraseReason
from consent_client.protocol.merkle import (
    Frontier,
    consistency_proof,
    leaf_hash,
    verify_consistency,
)
from consent_client.protocol.notes import MAX_NOTE_BYTES
from consent_client.protocol.policies import NO_QUORUM, Policy, Standing, Vouched, vouch
from consent_client.protocol.tiles import (
    TILE_WIDTH,
    Bundle,
    Tile,
    new_bundles,
    read_bundle,
    tile_nodes,
)

DAY_SECONDS: Final = 86_400

MAX_FAULTY_FILES: Final = 1_000
"""An audit ends where so many files are missing or wrong: the log is none."""

type OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Known:
    """A checkpoint seen before.

    Attributes:
        name: how a report calls it.
        checkpoint: what it says, its signature verified.
    """

    name: str
    checkpoint: Checkpoint


def read_checkpoint(source: Source) -> str:
    """The published checkpoint, unverified.

    Raises:
        Unreadable: there is none, or it is no text.
        TransportError: as the source.
    """
    data = source.read(CHECKPOINT, MAX_NOTE_BYTES)
    try:
        if data is not None:
            return data.decode()
    except UnicodeDecodeError:
        pass
    where = f"{source.name}/{CHECKPOINT}"
    raise Unreadable(f"there is no checkpoint at {where}: is this a log?", where)


def vouched_for(report: Report, note: str, policy: Policy, where: str) -> Vouched | None:
    """The checkpoint of a note, and what the report says of who stands behind it; None: nobody."""
    try:
        vouched = vouch(policy, note)
    except ProtocolError as error:
        report.fail(Fault.BAD_CHECKPOINT, where, str(error))
        return None
    checkpoint = vouched.checkpoint
    report.facts |= {
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "root": checkpoint.root.hex(),
        "standing": vouched.standing.name,
    }
    report.holds(f"{checkpoint.origin} signed its log of {checkpoint.size} entries")
    names = ", ".join(each.witness.name for each in vouched.cosignatures)
    if vouched.standing is Standing.WITNESSED:
        report.holds(f"the policy's quorum of witnesses cosigned it: {names}")
        return vouched
    if policy.quorum != NO_QUORUM:
        message = f"the policy's quorum did not cosign it; who did: {names or 'nobody'}"
        report.fail(Fault.UNWITNESSED, where, message)
    report.cannot(
        "that everybody is shown this log",
        "no quorum of witnesses stands behind the checkpoint: the registry could show others "
        "another one. Compare checkpoints with somebody else, or ask for witnesses.",
    )
    return vouched


def audit_log(
    source: Source,
    policy: Policy,
    *,
    keep: Keeping | None = None,
    earlier: Sequence[tuple[str, str]] = (),
    now: dt.datetime | None = None,
    on_progress: OnProgress | None = None,
) -> Report:
    """Audits a log from its files alone.

    Args:
        source: the log.
        policy: whose signatures are believed.
        keep: of this source; reads through a folder, whose checkpoints count as seen.
        earlier: names and notes of checkpoints seen before, that the log has to contain.
        now: the time, for days that have not begun.
        on_progress: told entries read and entries in all.

    Raises:
        Unreadable, TransportError: it can not be read to the end; nothing is said about it then.
    """
    kept = Keeping(source, None) if keep is None else keep
    report = Report(f"The log at {source.name}")
    note = read_checkpoint(source)
    vouched = vouched_for(report, note, policy, CHECKPOINT)
    if vouched is None:
        return report
    checkpoint = vouched.checkpoint
    notes = [*earlier, *kept.checkpoints()]
    known = list(_of_origin(report, seen_before(report, notes, policy), checkpoint.origin))
    if checkpoint.size > MAX_ENTRIES:
        raise Unreadable(f"the log has more than {MAX_ENTRIES} entries", source.name)
    latest = (dt.datetime.now(dt.UTC) if now is None else now) + dt.timedelta(days=1)
    rules = Report("The rules of the entries")
    replay = Replay(checkpoint.origin, rules, int(latest.timestamp()) // DAY_SECONDS)
    try:
        signed = _Audit(kept, report, replay, checkpoint, known, on_progress).run()
        if not signed and kept.start_again():
            return audit_log(
                source, policy, keep=kept, earlier=earlier, now=now, on_progress=on_progress
            )
        contradicts = report.has(Fault.FORKED, Fault.INCONSISTENT, Fault.ROLLED_BACK)
        kept.keep_checkpoint(note, checkpoint, contradicts=contradicts)
        report.take(rules, as_notes=not signed)  # nobody is accused of what nobody signed
        if signed:
            _say_state(report, replay)
        else:
            report.cannot("which records are active", "the published entries are not those signed")
    finally:
        replay.close()
    return report


def seen_before(
    report: Report, notes: Iterable[tuple[str, str]], policy: Policy
) -> Iterator[Known]:
    """The checkpoints of notes; what the policy does not vouch for is reported."""
    for name, note in notes:
        try:
            yield Known(name, vouch(policy, note).checkpoint)
        except ProtocolError as error:
            report.fail(Fault.BAD_CHECKPOINT, name, str(error))


def _of_origin(report: Report, known: Iterable[Known], origin: str) -> Iterator[Known]:
    for each in known:
        if each.checkpoint.origin == origin:
            yield each
        else:
            message = f"a checkpoint of {each.checkpoint.origin}"
            report.fail(Fault.BAD_CHECKPOINT, each.name, message)


class _Audit:
    """One pass over a log."""

    def __init__(
        self,
        kept: Keeping,
        report: Report,
        replay: Replay,
        checkpoint: Checkpoint,
        known: list[Known],
        on_progress: OnProgress | None,
    ) -> None:
        self._kept = kept
        self._report = report
        self._replay = replay
        self._checkpoint = checkpoint
        self._known = known
        self._on_progress = on_progress
        self._tree = TreeCheck(self._tile, report)
        self._wanted = sorted({each.checkpoint.size for each in known})
        self._roots: dict[int, bytes] = {}

    def run(self) -> bool:
        """Whether the entries are those that were signed."""
        size = self._checkpoint.size
        whole = self._read(size)
        sound = whole and self._tree.finish(self._checkpoint.root)
        self._compare(entries_lead_to_root=sound)
        self._report.facts |= {
            "entriesRead": self._tree.size,
            "tilesCompared": self._tree.tiles,
            "filesKeptFromBefore": self._kept.taken,
        }
        faults = {Fault.MISSING_FILE, Fault.BAD_TILE, Fault.BAD_BUNDLE, Fault.CONTRADICTION}
        if sound:
            self._report.holds(f"all {size} entries hash to the root that was signed")
            if not self._report.has(*faults):
                self._report.holds(f"all {self._tree.tiles} tiles are what the entries make")
            if self._kept.taken:
                self._report.bound(
                    "files that were kept from earlier audits, and not fetched again",
                    files=self._kept.taken,
                )
        self._kept.end(size, verified=sound and not self._report.has(*faults))
        return sound

    def _read(self, size: int) -> bool:
        """Reads all entries; False where one bundle can not be had, which ends it."""
        for bundle, data, tile in ahead(self._fetch, new_bundles(0, size)):
            if data is None:
                message = "the checkpoint signs it, and it is not there"
                self._report.fail(Fault.MISSING_FILE, bundle.path, message)
                return False
            try:
                entries = read_bundle(data, bundle.width)
            except Malformed as error:
                self._report.fail(Fault.BAD_BUNDLE, bundle.path, str(error))
                return False
            self._take(bundle, data, entries, tile)
            if sum(self._report.counts.values()) > MAX_FAULTY_FILES:
                why = f"reading ended after entry {self._tree.size - 1}: so much was wrong by then"
                self._report.cannot("what else is wrong", why)
                return False
        return True

    def _take(
        self, bundle: Bundle, data: bytes, entries: tuple[bytes, ...], tile: bytes | None
    ) -> None:
        leaves = [leaf_hash(entry) for entry in entries]
        self._root_within(leaves)
        if self._tree.add(leaves, tile):
            self._kept.keep(bundle, data)
            self._kept.keep(Tile(0, bundle.index, bundle.width), b"".join(leaves))
        for entry in entries:
            self._replay.add(entry)
        if self._on_progress is not None:
            self._on_progress(self._tree.size, self._checkpoint.size)

    def _root_within(self, leaves: list[bytes]) -> None:
        """Notes the roots at sizes of checkpoints that end in these leaves."""
        before = self._tree.size
        sizes = [size for size in self._wanted if before <= size < before + len(leaves)]
        for size in sizes:
            tree = Frontier(before, self._tree.entries.hashes)
            tree.extend(leaves[: size - before])
            self._roots[size] = tree.root()

    def _fetch(self, bundle: Bundle) -> tuple[Bundle, bytes | None, bytes | None]:
        """A bundle and its tile, from the folder only where the two agree."""
        tile = Tile(0, bundle.index, bundle.width)
        data, hashes = self._part(bundle), self._part(tile)
        if self._kept.has_folder and not _agree(data, hashes, bundle.width):
            data, hashes = self._part(bundle, fresh=True), self._part(tile, fresh=True)
        return bundle, data, hashes

    def _tile(self, tile: Tile) -> bytes | None:
        return self._part(tile)

    def _part(self, place: Tile | Bundle, *, fresh: bool = False) -> bytes | None:
        """A file, or the beginning of the full one where the partial one is gone."""
        data = self._kept.read(place, fresh=fresh)
        if data is not None or place.width == TILE_WIDTH:
            return data
        if isinstance(place, Tile):
            full = self._kept.read(Tile(place.level, place.index), fresh=fresh)
            return None if full is None else full[: len(full) // TILE_WIDTH * place.width]
        full = self._kept.read(Bundle(place.index), fresh=fresh)
        return None if full is None else beginning(full, place.width)

    def _compare(self, *, entries_lead_to_root: bool) -> None:
        """Compares the log with the checkpoints that were seen before."""
        size, root = self._checkpoint.size, self._checkpoint.root
        self._roots[size] = root
        consistent = 0
        for each in self._known:
            seen = each.checkpoint
            if seen.size > size:
                message = f"it has {seen.size} entries, and the log now {size}: it went back"
                self._report.fail(Fault.ROLLED_BACK, each.name, message)
            elif seen.size == size and seen.root != root:
                message = f"two signed checkpoints of {size} entries with different roots"
                self._report.fail(Fault.FORKED, each.name, message)
            elif entries_lead_to_root and self._roots[seen.size] != seen.root:
                message = f"its {seen.size} entries are not the first ones of the log now"
                self._report.fail(Fault.FORKED, each.name, message)
            elif not entries_lead_to_root and not self._proved(seen):
                message = "the published tiles do not show that the log grew out of it"
                self._report.fail(Fault.INCONSISTENT, each.name, message)
            else:
                consistent += 1
        if consistent and consistent == len(self._known):
            self._report.holds(f"the log grew out of all {consistent} checkpoints seen before")
        elif not self._known:
            self._report.cannot(
                "that the log contains what it contained before",
                "no earlier checkpoint was given. Keep them: --keep FOLDER, or --checkpoint FILE.",
            )

    def _proved(self, seen: Checkpoint) -> bool:
        def read(level: int, index: int, width: int) -> bytes:
            data = self._part(Tile(level, index, width))
            if data is None:
                raise LookupError(level, index)
            return data

        size, root = self._checkpoint.size, self._checkpoint.root
        try:
            proof = consistency_proof(tile_nodes(read, size), seen.size, size)
            verify_consistency(seen.size, size, proof, seen.root, root)
        except (LookupError, BadProof, Malformed):
            return False
        return True


def _agree(data: bytes | None, hashes: bytes | None, width: int) -> bool:
    """Whether a bundle's entries have the hashes of a tile."""
    if data is None or hashes is None:
        return False
    try:
        return b"".join(map(leaf_hash, read_bundle(data, width))) == hashes
    except Malformed:
        return False


def _say_state(report: Report, replay: Replay) -> None:
    kinds, count = replay.kinds, replay.count
    report.facts |= {f"entries.{name}": kinds[name] for name in sorted(kinds)}
    if not replay.sound:
        report.cannot(
            "which records are active",
            "an entry could not be read: what it changes is not known, so nothing is said.",
        )
        return
    if replay.day >= 0:
        report.facts["newestDay"] = day_text(replay.day)
    if not report.has(Fault.FORGED_WITHDRAWAL):
        message = "was signed by the key that its REGISTER entry commits to"
        report.holds(f"each of {replay.signatures} withdrawals {message}")
    if not report.has(Fault.BAD_REFERENCE):
        report.holds("every withdrawal and erasure is of a record that was registered before")
    if not report.has(Fault.BAD_DAY):
        report.holds(f"the {kinds['DAY']} days are in order, and none lies ahead")
    if not report.has(Fault.BAD_SESSION):
        sessions = f"{kinds['SESSION']} sessions, {kinds['CLOSE']} closed"
        certified = f"{kinds['CERTIFY']} certificates"
        report.holds(f"{sessions}, each once and after it was opened; {certified} of closed ones")
    reasons = {each.name.lower(): replay.reasons[each] for each in EraseReason}
    report.facts |= {f"erased.{name}": number for name, number in reasons.items() if number}
    active = count(Place.ACTIVE)
    report.bound(
        "records that can be active: each that was not withdrawn or erased; some may have expired",
        atMost=active,
        registered=kinds["REGISTER"],
        withdrawn=count(Place.WITHDRAWN),
        erased=count(Place.ERASED),
    )
    report.cannot(
        "which records have expired",
        "a statement's last day is not in the log, which would tell records apart by it; the owner "
        "can show it with a receipt.",
    )
    report.cannot(
        "that verdicts follow this log",
        "what is matched is encrypted. Audit images and canaries test it from outside.",
    )
    report.cannot(
        "that everything that was handed in was logged, and each withdrawal at once",
        "entries have no time, and who was refused holds no receipt. A registrant sees it.",
    )
    report.cannot(
        "that the keys of ended records are destroyed",
        "that happens on the operator's machines.",
    )


def day_text(day: int) -> str:
    """A UTC day number as a date, or as it is where no calendar has it."""
    try:
        return (dt.date(1970, 1, 1) + dt.timedelta(days=day)).isoformat()
    except OverflowError:
        return f"day {day}"
