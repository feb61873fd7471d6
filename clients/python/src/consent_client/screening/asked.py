"""What a two-stage screening was asked for, kept beside its results so that it can go on from them.

It holds paths and names of columns and spaces, and no token.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

from consent_client.adapters.columns import ColumnChoice
from consent_client.adapters.opening import Reading
from consent_client.adapters.sharding import Format, open_shards
from consent_client.adapters.shards import Sharded
from consent_client.errors import OutputError
from consent_client.fingerprints.onnx_sessions import Provider
from consent_client.protocol.statements import Use
from consent_client.screening.batches import Confirm, ScreenBatch, screening_of
from consent_client.screening.run import WORK_NAME

ASKED_NAME: Final = "asked.json"


@dataclass(frozen=True, slots=True)
class Asked:
    """A two-stage screening, but for the snapshot and for where the registry is.

    Attributes:
        source: path or pattern of the data set.
        form: see `Format`; None: told.
        image: columns, where they were named; as are those that follow.
        path_root: folder that paths are below.
        opt_out: columns with what sites said.
        dataset: its name, which the registry sees.
        use: what it is for, in CAWG's words.
        required_spaces: None: see `default_required`.
        spaces: of works; None: all that can be computed here.
        opt_in_spaces: spaces of people.
        lawful_basis_stated: see `Order`.
        keep_unknown: keep what could not be checked.
        threads: that fingerprint; None: one per core.
        sscd_model: a model file of one's own.
        provider: on what it runs.
    """

    source: str
    dataset: str
    use: str
    form: str | None = None
    image: str | None = None
    path: str | None = None
    url: str | None = None
    key: str | None = None
    path_root: str | None = None
    hardlink: bool = False
    opt_out: tuple[str, ...] = ()
    required_spaces: tuple[str, ...] | None = None
    spaces: tuple[str, ...] | None = None
    opt_in_spaces: tuple[str, ...] = ()
    lawful_basis_stated: bool = False
    keep_unknown: bool = False
    threads: int | None = None
    sscd_model: str | None = None
    provider: str = "cpu"

    def data(self) -> Sharded:
        """Opens the data set.

        Raises:
            SourceError: it can not be read.
        """
        reading = Reading(
            columns=ColumnChoice(self.image, self.path, self.url, self.key),
            root=None if self.path_root is None else Path(self.path_root),
            hardlink=self.hardlink,
        )
        form = None if self.form is None else Format(self.form)
        return open_shards(self.source, form, reading, self.opt_out)

    def screening(
        self, data: Sharded, snapshot: Path, verifier: str, registry: str, threads: int
    ) -> ScreenBatch:
        """What is asked of each batch, with the snapshot that lies there now.

        Raises:
            SnapshotError: there is none that may be relied on.
            UnknownSpace, UnknownColumns, StateError.
        """
        return screening_of(
            snapshot,
            verifier,
            use=Use.from_cawg(self.use),
            columns=data.columns,
            required_spaces=self.required_spaces,
            spaces=self.spaces,
            opt_in_spaces=self.opt_in_spaces,
            lawful_basis_stated=self.lawful_basis_stated,
            confirm=Confirm.ONLINE if self.opt_in_spaces else Confirm.NONE,
            registry=registry if self.opt_in_spaces else "",
            dataset=self.dataset if self.opt_in_spaces else "",
            path_root=data.path_root,
            threads=threads,
            sscd_model=None if self.sscd_model is None else Path(self.sscd_model),
            provider=Provider(self.provider),
        )

    def save(self, out: Path) -> None:
        """Keeps it beside the results.

        Raises:
            OutputError: it can not be written.
        """
        path = out / WORK_NAME / ASKED_NAME
        try:
            path.write_text(json.dumps(asdict(self), indent=1) + "\n")
        except OSError as error:
            raise OutputError(f"{path} can not be written: {error.strerror}") from None

    @classmethod
    def load(cls, out: Path) -> Self | None:
        """What the results in a folder are of; None where it holds none of a two-stage screening.

        Raises:
            OutputError: it is damaged.
        """
        path = out / WORK_NAME / ASKED_NAME
        if not path.is_file():
            return None
        asked: Self | None = None
        try:
            value = json.loads(path.read_bytes())
            for name in ("opt_out", "required_spaces", "spaces", "opt_in_spaces"):
                value[name] = None if value[name] is None else tuple(value[name])
            asked = cls(**value)
            Use.from_cawg(asked.use)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            asked = None
        if asked is None:
            raise OutputError(f"{path} is damaged; begin anew with --restart")
        return asked
