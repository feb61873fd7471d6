"""One function for every engine: a record batch in, a verdict for each of its rows out.

    import pyarrow as pa
    from consent_client.protocol.statements import Use
    from consent_client.screening.batches import screen_batch, screening_of

    screening = screening_of(
        "snapshots/registry", verifier_key, use=Use.AI_TRAINING, schema=table.schema
    )
    for batch in table.to_batches():
        verdicts = screen_batch(batch, screening)

`ScreenBatch` says what is asked. It is small, holds no secret, and is pickled to workers; each of
them opens the snapshot for itself, and takes none but the very one that the driver saw. So the
first stage is a pure function of a row and that snapshot, and a worker that is killed and run again
gives what it would have given (docs/decisions/0022).

A hit is only a candidate. Its verdict stays UNKNOWN, and its fingerprints travel in the result, so
that `consent_client.screening.confirming` can ask the registry about all candidates in one session.
"""

import base64
import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from consent_client.adapters.columns import NO_CHOICE, ColumnChoice
from consent_client.adapters.parquet import arrow
from consent_client.adapters.tables import below
from consent_client.builder import BLOCK_ROWS, Builder, columns_of, was_checked
from consent_client.errors import (
    BadFingerprint,
    BadUrl,
    ConsentError,
    ImageError,
    SnapshotError,
    SnapshotUntrusted,
    StateError,
    UnknownSpace,
)
from consent_client.fingerprints.batches import fingerprint_many
from consent_client.fingerprints.images import (
    IMAGE_SPACES,
    Bordered,
    ImageFingerprints,
    Screened,
    available_spaces,
    load_models,
)
from consent_client.fingerprints.loading import read_source
from consent_client.fingerprints.onnx_sessions import Provider
from consent_client.fingerprints.url import url_fingerprint
from consent_client.private_files import private_folder, write_private
from consent_client.protocol.fingerprints import decode_floats, encode_float, encode_list
from consent_client.protocol.notes import NoteVerifier
from consent_client.protocol.spaces import PERSON_SPACES, SPACES, Kind, space
from consent_client.protocol.statements import Use
from consent_client.protocol.verdicts import Verdict
from consent_client.screening.batch_rows import (
    BatchColumns,
    Cells,
    keys_of,
    rows_of,
    told_columns,
)
from consent_client.screening.opt_outs import refuses
from consent_client.screening.plan import default_required
from consent_client.snapshots.pulling import BOOTSTRAP, FILES, TRUSTED, open_snapshot
from consent_client.snapshots.snapshot import Snapshot

TOKEN_VARIABLE: Final = "CONSENT_TOKEN"  # noqa: S105 (the name of a variable)

CANDIDATE: Final = "CANDIDATE"
"""Why a row is UNKNOWN: only the registry can settle it."""

MISSING_SPACE: Final = "MISSING_SPACE"
"""Why a row is UNKNOWN: it lacks a fingerprint in a space that is required."""

OPTED_OUT: Final = "OPTED_OUT"
"""Why a row is EXCLUDE: its site said so, in a column."""

_URL = "url-1"
_EXACT = "sha256"


class Confirm(StrEnum):
    """What becomes of candidates."""

    NONE = "none"
    """They stay UNKNOWN, and can be confirmed later from the result."""
    ONLINE = "online"
    """They are asked about at once, in a session of the batch's own."""


@dataclass(frozen=True, slots=True)
class ScreenBatch:
    """What is asked of every batch; made by `screening_of`.

    Attributes:
        snapshot: folder of a pulled snapshot; a relative one is below the worker's folder, where
            Spark unpacks archives and Ray working folders.
        verifier: the registry's key, as it signs checkpoints; public.
        serial: of the snapshot.
        digest: of the snapshot's manifest, in hex: another snapshot is not taken.
        use: what the data set is for, in CAWG's words.
        required_spaces: a row not checked in one of them is UNKNOWN; ascending.
        spaces: in which fingerprints are computed, ascending; of people only what was opted in to.
        columns: what is read of a batch.
        confirm: what becomes of candidates.
        registry: its address; needed to confirm online.
        token_variable: environment variable that holds the builder's token where it is asked. The
            token itself is never part of this.
        dataset: its name, which the registry sees.
        lawful_basis_stated: see `Order`.
        path_root: folder that paths in columns are below; None: no path is read.
        threads: that fingerprint in one worker; engines run several workers instead.
        sscd_model: a model file of one's own; it must be there on every worker.
        provider: on what `sscd-1` is computed.
    """

    snapshot: str
    verifier: str
    serial: int
    digest: str
    use: str
    required_spaces: tuple[str, ...]
    spaces: tuple[str, ...]
    columns: BatchColumns
    confirm: Confirm = Confirm.NONE
    registry: str = ""
    token_variable: str = TOKEN_VARIABLE
    dataset: str = ""
    lawful_basis_stated: bool = False
    path_root: str | None = None
    threads: int = 1
    sscd_model: str | None = None
    provider: Provider = Provider.CPU

    def __post_init__(self) -> None:
        for name in (*self.spaces, *self.required_spaces):
            space(name)
        if not set(self.required_spaces) <= set(self.spaces):
            raise UnknownSpace("a required space is not among those that are computed")
        if self.opt_in_spaces and self.confirm is not Confirm.ONLINE:
            raise UnknownSpace(
                "people are looked for online only: confirm online. Fingerprints of faces are "
                "never written aside"
            )

    @property
    def opt_in_spaces(self) -> tuple[str, ...]:
        """The spaces of people among those that are computed."""
        return tuple(name for name in self.spaces if name in PERSON_SPACES)

    def question(self) -> bytes:
        """SHA-256 of all that decides a verdict: equal for equal questions of one snapshot.

        Where the snapshot lies, how many threads there are and by which address the registry is
        reached decide nothing.
        """
        value = asdict(self)
        for name in ("snapshot", "registry", "token_variable", "threads", "path_root"):
            del value[name]
        return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).digest()


def screening_of(
    snapshot: Path | str,
    verifier: str,
    *,
    use: Use,
    schema: Any = None,
    choice: ColumnChoice = NO_CHOICE,
    columns: BatchColumns | None = None,
    required_spaces: Sequence[str] | None = None,
    spaces: Sequence[str] | None = None,
    opt_in_spaces: Sequence[str] = (),
    lawful_basis_stated: bool = False,
    confirm: Confirm = Confirm.NONE,
    registry: str = "",
    token_variable: str = TOKEN_VARIABLE,
    dataset: str = "",
    path_root: Path | str | None = None,
    threads: int = 1,
    sscd_model: Path | None = None,
    provider: Provider = Provider.CPU,
) -> ScreenBatch:
    """What is asked, with the serial and the digest of the snapshot that lies there now.

    Args:
        snapshot: folder of a pulled snapshot.
        verifier: the registry's verifier key.
        use: what the data set is for.
        schema: pyarrow.Schema of the batches, from which columns are told.
        choice: columns named, where they are told from the schema.
        columns: all columns, instead of the schema.
        required_spaces: None: see `default_required`.
        spaces: of works; None: all that can be computed here and are in the snapshot.
        opt_in_spaces: spaces of people to look for faces in; rows that show one are candidates.
        lawful_basis_stated: see `Order`; without it no session with faces is opened.
        confirm: what becomes of candidates.
        registry: as `ScreenBatch`, like all that follow.
        token_variable: the variable's name, never the token.
        dataset: its name.
        path_root: folder that paths are below.
        threads: in one worker.
        sscd_model: a model file.
        provider: a GPU, where workers have one.

    Raises:
        SnapshotError: there is none that may be relied on; nothing may be called CLEAR.
        UnknownColumns, UnknownSpace: what was asked for can not be done.
        ProtocolError: a malformed verifier key. StateError: the folder can not be read.
    """
    folder = Path(snapshot).resolve()
    found = open_snapshot(folder, NoteVerifier.parse(verifier), _now)
    read = told_columns(schema, choice) if columns is None else columns
    computed = _computable(read, spaces, opt_in_spaces, own_model=sscd_model is not None)
    if required_spaces is None:
        alone = _URL in computed and not read.has_pictures
        required_spaces = default_required(computed, has_images=not alone)
    return ScreenBatch(
        snapshot=str(folder),
        verifier=verifier,
        serial=found.manifest.serial,
        digest=found.manifest_digest.hex(),
        use=use.cawg,
        required_spaces=tuple(sorted(set(required_spaces))),
        spaces=computed,
        columns=read,
        confirm=confirm,
        registry=registry,
        token_variable=token_variable,
        dataset=dataset,
        lawful_basis_stated=lawful_basis_stated,
        path_root=None if path_root is None else str(path_root),
        threads=threads,
        sscd_model=None if sscd_model is None else str(sscd_model),
        provider=provider,
    )


def _computable(
    columns: BatchColumns,
    wanted: Sequence[str] | None,
    opt_in: Sequence[str],
    *,
    own_model: bool,
) -> tuple[str, ...]:
    """Spaces that can be computed of such columns, ascending."""
    for name in opt_in:
        if name not in PERSON_SPACES or not columns.has_pictures:
            raise UnknownSpace(f"{name} can not be looked in here")
    able = {name for name, _ in columns.computed}
    if columns.sha256 is not None:
        able.add(_EXACT)
    if columns.has_pictures:
        able |= set(IMAGE_SPACES if own_model else available_spaces())
    if columns.url is not None:
        able.add(_URL)
    if wanted is not None:
        missing = set(wanted) - able
        if missing:
            raise UnknownSpace(f"{', '.join(sorted(missing))} can not be computed here")
        able = {*wanted, *(able & {_URL})}
    return tuple(sorted(able | set(opt_in)))


def result_schema(key_type: Any) -> Any:
    """The columns of a result: pyarrow.Schema.

    | column | type | holds |
    |---|---|---|
    | `key` | string or int64 | the row's name, or its position |
    | `verdict` | int8 | a `Verdict` |
    | `candidate` | bool | whether the registry has to be asked; false once it answered |
    | `log_size` | int64 | what the verdict holds for; 0 where nothing was looked at |
    | `serial` | int64 | the snapshot; 0 where none could be relied on |
    | `why` | string | why the verdict is UNKNOWN or comes from a column; null elsewhere |
    | `fingerprints` | string | of a candidate, FORMATS §1 in base64, never of a face; else null |
    """
    pa, _ = arrow()
    return pa.schema(
        [
            ("key", key_type),
            ("verdict", pa.int8()),
            ("candidate", pa.bool_()),
            ("log_size", pa.int64()),
            ("serial", pa.int64()),
            ("why", pa.string()),
            ("fingerprints", pa.string()),
        ]
    )


def screen_batch(batch: Any, screening: ScreenBatch) -> Any:
    """Looks at each row of a batch, and says what may be said of it here.

    A row that can not be read is UNKNOWN, and so is every row where the snapshot can not be relied
    on: no row raises, and nothing is CLEAR by default.

    Args:
        batch: pyarrow.RecordBatch with the columns of `screening`; it may be empty.
        screening: what is asked.

    Returns:
        pyarrow.RecordBatch of the same length and order, see `result_schema`.

    Raises:
        UnknownColumns: the batch has not the columns it should have.
        MissingModel, ModelMismatch, MissingExtra: this worker lacks what the question needs.
    """
    keys = keys_of(batch, screening.columns.key)
    looked = [_Looked() for _ in range(batch.num_rows)]
    serial = 0
    if looked:
        rows = rows_of(batch, screening.columns)
        try:
            snapshot = opened_snapshot(screening)
            _look(rows, looked, snapshot, screening)
        except (SnapshotError, StateError) as error:  # also where it expires in between
            looked = [_Looked(why=error.code) for _ in rows]
        else:
            serial = snapshot.manifest.serial
    if screening.confirm is Confirm.ONLINE:
        _confirm(looked, screening)
    return _result(keys, looked, serial)


@dataclass(slots=True)
class _Looked:
    """What is known of one row so far."""

    verdict: Verdict = Verdict.UNKNOWN
    candidate: bool = False
    log_size: int = 0
    why: str | None = None
    fingerprints: Mapping[str, tuple[bytes, ...]] | None = field(default=None, repr=False)


def _look(
    rows: Sequence[Cells], looked: Sequence[_Looked], snapshot: Snapshot, screening: ScreenBatch
) -> None:
    """The first stage of a batch.

    Raises:
        SnapshotExpired: it may not be relied on any more.
    """
    snapshot.check_fresh()
    found = _fingerprinted(rows, looked, screening)
    for start in range(0, len(rows), BLOCK_ROWS):
        part = slice(start, start + BLOCK_ROWS)
        hits = _hits(found[part], snapshot, screening.spaces)
        for each, fingerprints, hit in zip(looked[part], found[part], hits, strict=True):
            _settle(each, fingerprints, hit=bool(hit), snapshot=snapshot, screening=screening)
    for each, row in zip(looked, rows, strict=True):
        each.log_size = snapshot.log_size
        if refuses(row.opt_out):
            each.verdict, each.candidate, each.why = Verdict.EXCLUDE, False, OPTED_OUT


def _hits(
    found: Sequence[Mapping[str, tuple[bytes, ...]]], snapshot: Snapshot, spaces: Sequence[str]
) -> NDArray[np.bool_]:
    published = [name for name in spaces if name in snapshot.manifest.spaces]
    if not published:
        return np.zeros(len(found), np.bool_)
    return snapshot.candidates(columns_of(found, published))


def _settle(
    each: _Looked,
    fingerprints: Mapping[str, tuple[bytes, ...]],
    *,
    hit: bool,
    snapshot: Snapshot,
    screening: ScreenBatch,
) -> None:
    """What the first stage may say of one row."""
    checked = {name for name in screening.spaces if was_checked(fingerprints, name)}
    # Nobody is looked for in a snapshot: who is seen is asked about; where nobody is, all is said.
    people = any(fingerprints.get(name) for name in PERSON_SPACES)
    elsewhere = any(
        name not in snapshot.manifest.spaces and name not in PERSON_SPACES for name in checked
    )
    if hit or people or elsewhere:
        each.candidate = True
        each.why = CANDIDATE
        each.fingerprints = fingerprints
    elif checked and checked >= set(screening.required_spaces):
        each.verdict, each.why = Verdict.CLEAR, None
    else:
        each.why = each.why or MISSING_SPACE


def _fingerprinted(
    rows: Sequence[Cells], looked: Sequence[_Looked], screening: ScreenBatch
) -> list[dict[str, tuple[bytes, ...]]]:
    """Fingerprints of each row, in the spaces asked for."""
    found: list[dict[str, tuple[bytes, ...]]] = [
        {**_of_columns(row, screening.spaces)} for row in rows
    ]
    of_pictures = [
        name
        for name in screening.spaces
        if name != _URL and name not in dict(screening.columns.computed)
    ]
    if not screening.columns.has_pictures or not of_pictures:
        return found
    files = {} if screening.sscd_model is None else {"sscd-1": Path(screening.sscd_model)}
    models = load_models(of_pictures, files, screening.provider)
    sources = []
    for number, row in enumerate(rows):
        source = _source(row, screening.path_root)
        if source is None:
            looked[number].why = "NOT_AN_IMAGE"
        else:
            sources.append((number, source))
    for number, made in fingerprint_many(sources, of_pictures, screening.threads, models=models):
        if isinstance(made, ImageFingerprints):
            # what the columns say of the original comes before what was made of it
            found[number] = {**made.fingerprints, **found[number]}
        else:
            looked[number].why = made.code
    return found


def _source(row: Cells, root: str | None) -> Screened | None:
    source: bytes | Path | None = row.image
    if source is None and row.path is not None and root is not None:
        source = below(Path(root), row.path)
    if source is None or row.original is None:
        return source
    if isinstance(source, Path):
        try:
            source = read_source(source, source.name)
        except ImageError:
            return source  # it is tried again, and its error told
    return Bordered(source, row.original)


def _of_columns(row: Cells, spaces: Sequence[str]) -> dict[str, tuple[bytes, ...]]:
    """Fingerprints that need no picture."""
    found: dict[str, tuple[bytes, ...]] = {}
    if _EXACT in spaces and row.sha256 is not None:
        found[_EXACT] = (row.sha256,)
    if _URL in spaces and row.url is not None:
        with contextlib.suppress(BadUrl):
            found[_URL] = (url_fingerprint(row.url),)
    for name, value in row.computed.items():
        fingerprint = _computed(value, name)
        if fingerprint is not None:
            found[name] = (fingerprint,)
    return found


def _computed(value: object, space_id: str) -> bytes | None:
    """A fingerprint that somebody computed before, where it is one of that space."""
    of = SPACES[space_id]
    try:
        if of.kind is Kind.FLOAT and not isinstance(value, bytes):
            with np.errstate(over="ignore"):  # what does not fit is not finite, and refused
                vector = np.asarray(value, np.float64).astype(np.float32)
            return encode_float(vector) if vector.shape == (of.dimension,) else None
        data = bytes.fromhex(value) if isinstance(value, str) else value
        if not isinstance(data, bytes) or len(data) != of.size:
            return None
        if of.kind is Kind.FLOAT:
            decode_floats(data, of)
    except (BadFingerprint, TypeError, ValueError):
        return None
    return data


def _confirm(looked: Sequence[_Looked], screening: ScreenBatch) -> None:
    """Asks about the candidates of one batch; those that can not be asked about stay candidates."""
    asked = [each for each in looked if each.candidate and each.fingerprints]
    if not asked:
        return
    try:
        with Builder(
            screening.registry, token=os.environ.get(screening.token_variable, "")
        ) as builder:
            answers = list(
                builder.screen(
                    [(each, each.fingerprints or {}) for each in asked],
                    dataset=screening.dataset,
                    use=Use.from_cawg(screening.use),
                    required_spaces=screening.required_spaces,
                    opt_in_spaces=screening.opt_in_spaces,
                    lawful_basis_stated=screening.lawful_basis_stated,
                )
            )
    except ConsentError as error:
        for each in asked:
            each.why = error.code
            if any(name in PERSON_SPACES for name in each.fingerprints or {}):
                each.fingerprints = None  # of faces, nothing is written aside
        return
    for answer in answers:
        each = answer.key
        each.verdict, each.log_size = answer.verdict, answer.log_size
        each.candidate, each.fingerprints = False, None
        each.why = MISSING_SPACE if answer.verdict is Verdict.UNKNOWN else None


def _result(keys: Any, looked: Sequence[_Looked], serial: int) -> Any:
    pa, _ = arrow()
    return pa.RecordBatch.from_arrays(
        [
            keys,
            pa.array([int(each.verdict) for each in looked], pa.int8()),
            pa.array([each.candidate for each in looked], pa.bool_()),
            pa.array([each.log_size for each in looked], pa.int64()),
            pa.array([serial] * len(looked), pa.int64()),
            pa.array([each.why for each in looked], pa.string()),
            pa.array([_encoded(each.fingerprints) for each in looked], pa.string()),
        ],
        schema=result_schema(keys.type),
    )


def _encoded(fingerprints: Mapping[str, tuple[bytes, ...]] | None) -> str | None:
    if not fingerprints:
        return None
    return base64.b64encode(encode_list(fingerprints)).decode()


# One snapshot serves all batches of a worker. It is opened from a private copy of its metadata: the
# folder may be one that Spark unpacked with modes of its own, or shared by many workers.

_opened: dict[tuple[str, str, str], Snapshot] = {}
_opening = threading.Lock()


def opened_snapshot(screening: ScreenBatch) -> Snapshot:
    """The snapshot that the driver saw, opened once in a process.

    Raises:
        SnapshotError: it can not be relied on, or is another one.
        StateError: the folder can not be read.
    """
    place = (os.path.realpath(screening.snapshot), screening.verifier, screening.digest)
    with _opening:
        found = _opened.get(place)
        if found is None:
            found = _open(Path(place[0]), screening)
            _opened.clear()  # a worker works on one data set at a time
            _opened[place] = found
    return found


def _open(folder: Path, screening: ScreenBatch) -> Snapshot:
    with tempfile.TemporaryDirectory(prefix="consent-snapshot-") as made:
        private = private_folder(Path(made) / "snapshot")
        try:
            write_private(private / BOOTSTRAP, (folder / BOOTSTRAP).read_bytes())
            shutil.copytree(folder / TRUSTED, private / TRUSTED)
            (private / FILES).symlink_to(folder / FILES, target_is_directory=True)
        except OSError as error:
            raise StateError(
                f"{folder} is no snapshot that can be read: {error.strerror}", str(folder)
            ) from None
        # Metadata need not be private to be believed: the digest comes with the question.
        found = open_snapshot(private, NoteVerifier.parse(screening.verifier), _now)
    if found.manifest_digest.hex() != screening.digest:
        raise SnapshotUntrusted("another snapshot than the one this screening began with")
    return found


def _now() -> float:
    return time.time()
