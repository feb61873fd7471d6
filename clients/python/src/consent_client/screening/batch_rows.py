"""What the rows of a record batch hold, whatever types its columns have.

A cell that is null, is of another type than expected, or is damaged, holds nothing: the row counts
as not checked, and no other row suffers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from consent_client.adapters.columns import ROW_NUMBER, ColumnChoice, Holds, choose
from consent_client.adapters.parquet import arrow
from consent_client.errors import UnknownColumns
from consent_client.screening.opt_outs import KNOWN_COLUMNS

_SHA256_DIGITS: Final = 64
_SHA256_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class BatchColumns:
    """Which columns of a batch are read; None: there is none of that kind.

    Attributes:
        key: rows' names; None: rows are named by their position in the batch.
        image: pictures' bytes, or structs with a field `bytes`.
        path: pictures' paths.
        url: pictures' addresses.
        sha256: of the file that the picture was downloaded as, in hex or 32 bytes.
        original_width: of the picture before img2dataset put a white border around it, in pixels.
        original_height: likewise.
        opt_out: columns with what the site said about training: see `opt_outs`.
        computed: space id → column with fingerprints as FORMATS §1 says, or vectors as lists of
            numbers.
    """

    key: str | None = None
    image: str | None = None
    path: str | None = None
    url: str | None = None
    sha256: str | None = None
    original_width: str | None = None
    original_height: str | None = None
    opt_out: tuple[str, ...] = ()
    computed: tuple[tuple[str, str], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Those that are read, each once, ascending."""
        single = (
            self.key,
            self.image,
            self.path,
            self.url,
            self.sha256,
            self.original_width,
            self.original_height,
        )
        several = (*self.opt_out, *(column for _, column in self.computed))
        return tuple(sorted({name for name in (*single, *several) if name is not None}))

    @property
    def has_pictures(self) -> bool:
        """Whether rows hold pictures or paths of pictures."""
        return self.image is not None or self.path is not None


@dataclass(frozen=True, slots=True)
class Cells:
    """What one row holds; None where there is nothing that can be used.

    Attributes:
        original: width and height of the picture before it got a border.
        opt_out: column → what it says.
    """

    image: bytes | None = field(default=None, repr=False)
    path: str | None = None
    url: str | None = None
    sha256: bytes | None = field(default=None, repr=False)
    original: tuple[int, int] | None = None
    opt_out: Mapping[str, object] = field(default_factory=dict)
    computed: Mapping[str, object] = field(default_factory=dict, repr=False)


def holds(kind: Any) -> Holds:
    """What a column of this Arrow type can hold."""
    pa, _ = arrow()
    types = pa.types
    if isinstance(kind, pa.BaseExtensionType):
        return holds(kind.storage_type)
    if types.is_dictionary(kind):
        return holds(kind.value_type)
    if types.is_struct(kind):
        names = [kind.field(i).name for i in range(kind.num_fields)]
        return holds(kind.field(names.index("bytes")).type) if "bytes" in names else Holds.OTHER
    if (
        types.is_binary(kind)
        or types.is_large_binary(kind)
        or types.is_binary_view(kind)
        or types.is_fixed_size_binary(kind)
    ):
        return Holds.BYTES
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return Holds.TEXT
    return Holds.OTHER


def told_columns(schema: Any, choice: ColumnChoice, opt_out: Sequence[str] = ()) -> BatchColumns:
    """The columns to read of batches with this schema, told from names and types.

    Args:
        schema: pyarrow.Schema.
        choice: what the person named.
        opt_out: columns with what sites said; those known by name are read anyway.

    Raises:
        UnknownColumns: which ones can not be told, or one named is not there.
    """
    for name in opt_out:
        if name not in schema.names:
            raise UnknownColumns(f"there is no column {name!r}", name)
    told = choose([(each.name, holds(each.type)) for each in schema], choice, "the table")
    by_name = {each.name.lower(): each.name for each in schema}
    return BatchColumns(
        key=told.key,
        image=told.image,
        path=told.path,
        url=told.url,
        sha256=by_name.get("sha256"),
        original_width=by_name.get("original_width"),
        original_height=by_name.get("original_height"),
        opt_out=tuple(
            sorted({*opt_out, *(by_name[name] for name in KNOWN_COLUMNS if name in by_name)})
        ),
    )


def named_columns(columns: BatchColumns) -> tuple[str, ...]:
    """The columns to read where rows come back in any order, and are known by their names only.

    Raises:
        UnknownColumns: none of them names the rows.
    """
    if columns.key is None or columns.key == ROW_NUMBER:
        raise UnknownColumns("an engine keeps no order: name the column that names the rows")
    return columns.names


def keys_of(batch: Any, column: str | None) -> Any:
    """The rows' names: an array of int64 where they are whole numbers or positions, else of string.

    A name that can not be read is null.

    Raises:
        UnknownColumns: there is no such column.
    """
    pa, _ = arrow()
    if column is None or column == ROW_NUMBER:
        return pa.array(range(batch.num_rows), pa.int64())
    values = _values(batch, column)
    if pa.types.is_integer(batch.schema.field(column).type):
        return pa.array([_whole(value) for value in values], pa.int64())
    return pa.array([None if value is None else _text_of(value) for value in values], pa.string())


def rows_of(batch: Any, columns: BatchColumns) -> list[Cells]:
    """What each row holds.

    Raises:
        UnknownColumns: a column is missing.
    """
    read = {name: _values(batch, name) for name in columns.names}

    def cell(column: str | None, row: int) -> Any:
        return None if column is None else read[column][row]

    found = []
    for row in range(batch.num_rows):
        image = cell(columns.image, row)
        path = cell(columns.path, row)
        if isinstance(image, dict):
            path = path or image.get("path")
            image = image.get("bytes")
        found.append(
            Cells(
                image=image if isinstance(image, bytes) else None,
                path=_text(path),
                url=_text(cell(columns.url, row)),
                sha256=_digest(cell(columns.sha256, row)),
                original=_size(
                    cell(columns.original_width, row), cell(columns.original_height, row)
                ),
                opt_out={name: cell(name, row) for name in columns.opt_out},
                computed={space: cell(name, row) for space, name in columns.computed},
            )
        )
    return found


def _values(batch: Any, column: str) -> list[Any]:
    """A column's cells as Python has them; None for what can not be read."""
    pa, _ = arrow()
    position = batch.schema.get_field_index(column)
    if position < 0:
        raise UnknownColumns(f"there is no column {column!r}, or more than one", column)
    array = batch.column(position)
    try:
        return list(array.to_pylist())
    except (pa.ArrowException, UnicodeDecodeError, ValueError, OverflowError):
        pass
    values = []
    for number in range(len(array)):
        try:
            values.append(array[number].as_py())
        except (pa.ArrowException, UnicodeDecodeError, ValueError, OverflowError):
            values.append(None)
    return values


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _text_of(value: object) -> str:
    return value if isinstance(value, str) else str(value)


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and -(2**63) <= value < 2**63 else None


def _digest(value: object) -> bytes | None:
    if isinstance(value, bytes) and len(value) == _SHA256_BYTES:
        return value
    if not isinstance(value, str) or len(value) != _SHA256_DIGITS:
        return None
    try:
        return bytes.fromhex(value)
    except ValueError:
        return None


def _size(width: object, height: object) -> tuple[int, int] | None:
    numbers = [
        int(value)
        for value in (width, height)
        # a column with nulls becomes one of floats in pandas, which writes these tables
        if isinstance(value, int | float) and 1 <= value < 2**31
    ]
    return (numbers[0], numbers[1]) if len(numbers) == 2 else None  # noqa: PLR2004
