"""DataComp: its metadata tables in, a subset file out.

    consent screen metadata/ --format datacomp --confirm online \
        --dataset datacomp --use ai_training --out screened

DataComp describes a subset by a `.npy` file with the `uid` of each sample in it, sorted, as pairs
of u64; its resharder and its training code read that. Screened are the address and the `sha256` of
each row; pictures that were downloaded already are screened as img2dataset folders.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from consent_client.adapters.columns import ColumnChoice
from consent_client.adapters.parquet import arrow
from consent_client.adapters.rows import Kept, relative_names
from consent_client.adapters.shards import Sharded, TableShard, tables
from consent_client.errors import DamagedSource

UID: Final = "uid"
SUBSET_NAME: Final = "subset.npy"

UID_DTYPE: Final = np.dtype("u8,u8")
"""A uid's first and last 16 hexadecimal digits."""

_UID: Final = re.compile(r"[0-9a-fA-F]{32}")


@dataclass(frozen=True, slots=True)
class UidShard:
    """A metadata table, kept as the uids of its rows."""

    table: TableShard

    @property
    def name(self) -> str:
        """See `Shard`."""
        return self.table.name

    def survey(self) -> tuple[int, str]:
        """See `Shard`."""
        return self.table.survey()

    def batches(self) -> Iterator[Any]:
        """See `Shard`."""
        return self.table.batches()

    def keep(self, keep: NDArray[np.bool_], folder: Path) -> Kept:
        """See `Shard`; what is written is a subset file of this table alone."""
        _, parquet = arrow()
        uids = parquet.read_table(self.table.path, columns=[UID]).column(UID).to_pylist()
        target = (folder / self.name).with_suffix(".npy")
        target.parent.mkdir(parents=True, exist_ok=True)
        kept = [uid for uid, fate in zip(uids, keep, strict=True) if fate]
        np.save(target, subset_of(kept))
        return Kept(len(kept), 1, 0)


def metadata(paths: Sequence[Path], opt_out: tuple[str, ...] = ()) -> Sharded:
    """DataComp's metadata tables.

    Raises:
        UnknownColumns: they have no `uid`, or no address. DamagedSource: no Parquet.
    """
    found = tables(list(paths), ColumnChoice(key=UID), None, opt_out)
    shards = tuple(UidShard(each) for each in found.shards if isinstance(each, TableShard))
    names = [Path(name).with_suffix(".npy") for name in relative_names(list(paths))]

    def join(out: Path) -> None:
        parts = [np.load(out / "kept" / name, allow_pickle=False) for name in names]
        np.save(out / SUBSET_NAME, np.unique(np.concatenate(parts)))

    return Sharded("datacomp", found.columns, shards, finish=join)


def subset_of(uids: Iterable[str]) -> NDArray[np.void]:
    """A subset file's array: u8,u8 of shape (n,), sorted, each uid once.

    Raises:
        DamagedSource: a uid that is not 32 hexadecimal digits.
    """
    pairs = []
    for uid in uids:
        if not (isinstance(uid, str) and _UID.fullmatch(uid)):
            raise DamagedSource("a uid that is not 32 hexadecimal digits", str(uid))
        pairs.append((int(uid[:16], 16), int(uid[16:], 16)))
    return np.unique(np.array(pairs, UID_DTYPE))
