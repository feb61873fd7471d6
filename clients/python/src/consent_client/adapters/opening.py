"""Which form a data set has."""

import glob
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from consent_client.adapters.columns import NO_CHOICE, ColumnChoice
from consent_client.adapters.delimited import DelimitedSource
from consent_client.adapters.embeddings import EmbeddingSource
from consent_client.adapters.folder import FolderSource, holds_images
from consent_client.adapters.parquet import ParquetSource
from consent_client.adapters.rows import Source
from consent_client.adapters.tar import TarSource
from consent_client.errors import SourceError

_WILD: Final = frozenset("*?[")


class Form(StrEnum):
    """The forms that are read and written."""

    FOLDER = "folder"
    TAR = "tar"
    PARQUET = "parquet"
    CSV = "csv"


_SUFFIXES: Final = {
    ".tar": Form.TAR,
    ".parquet": Form.PARQUET,
    ".csv": Form.CSV,
    ".tsv": Form.CSV,
}


@dataclass(frozen=True, slots=True)
class Reading:
    """How a source is read; the defaults suit most.

    Attributes:
        form: None: told from names.
        columns: of tables.
        root: folder that paths in tables are below; None: the table's folder.
        hardlink: keep files of a folder as hard links instead of copies.
        embeddings: the float space that a folder's `img_emb/` holds vectors of; None: pictures,
            paths or addresses are looked at.
    """

    form: Form | None = None
    columns: ColumnChoice = NO_CHOICE
    root: Path | None = None
    hardlink: bool = False
    embeddings: str | None = None


DEFAULT_READING: Final = Reading()


def open_source(text: str, reading: Reading = DEFAULT_READING) -> Source:
    """The data set at a path: a file, a folder, or a pattern such as `shards/*.tar`.

    A folder with tar files is WebDataset; else one with pictures below it is a folder of pictures;
    else its Parquet or CSV files are read.

    Raises:
        SourceError: nothing there, several forms at once, or none that is read.
        UnknownSpace: the space of embeddings has no vectors of works.
        MissingExtra: it needs pyarrow.
    """
    if reading.embeddings is not None:
        return EmbeddingSource(Path(text), reading.embeddings, reading.columns)
    form, paths = paths_of(text, reading.form)
    if form is Form.FOLDER:
        return FolderSource(paths[0], hardlink=reading.hardlink)
    if form is Form.TAR:
        return TarSource(paths)
    if form is Form.PARQUET:
        return ParquetSource(paths, reading.columns, reading.root)
    return DelimitedSource(paths, reading.columns, reading.root)


def paths_of(text: str, form: Form | None = None) -> tuple[Form, list[Path]]:
    """What a data set at a path is, and its files, or its one folder of pictures.

    Args:
        text: a file, a folder, or a pattern.
        form: None: told from names.

    Raises:
        SourceError: as `open_source`.
    """
    paths = _matching(text)
    if len(paths) == 1 and paths[0].is_dir():
        return _in_folder(paths[0], form)
    forms = {_SUFFIXES.get(path.suffix.lower()) for path in paths}
    told = form or (forms.pop() if len(forms) == 1 else None)
    if told is None or told is Form.FOLDER:
        raise SourceError(
            f"{text}: read are folders of pictures, and .tar, .parquet, .csv and .tsv files of one "
            "kind at a time",
            text,
        )
    return told, paths


def _matching(text: str) -> list[Path]:
    path = Path(text)
    if path.exists() or not _WILD & set(text):
        if not path.exists():
            raise SourceError(f"there is nothing at {text}", text)
        return [path]
    found = sorted(Path(name) for name in glob.glob(text))  # noqa: PTH207 (may begin with a slash)
    if not found:
        raise SourceError(f"nothing matches {text}", text)
    return found


def _in_folder(folder: Path, form: Form | None) -> tuple[Form, list[Path]]:
    files = {each: _of_form(folder, each) for each in (Form.TAR, Form.PARQUET, Form.CSV)}
    if form is None:
        if files[Form.TAR]:
            form = Form.TAR
        elif holds_images(folder):
            form = Form.FOLDER
        else:
            form = next((each for each in files if files[each]), Form.FOLDER)
    if form is Form.FOLDER:
        return form, [folder]
    if not files[form]:
        raise SourceError(f"there is no {form.value} file in {folder}", str(folder))
    return form, files[form]


def _of_form(folder: Path, form: Form) -> list[Path]:
    try:
        return sorted(
            path
            for path in folder.iterdir()
            if _SUFFIXES.get(path.suffix.lower()) is form and path.is_file()
        )
    except OSError as error:
        raise SourceError(f"{folder} can not be read: {error.strerror}", str(folder)) from None
