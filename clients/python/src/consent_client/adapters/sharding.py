"""The data set at a path, as shards."""

from enum import StrEnum
from pathlib import Path

from consent_client.adapters import clip_retrieval, datacomp, img2dataset
from consent_client.adapters.columns import NO_CHOICE
from consent_client.adapters.opening import Form, Reading, paths_of
from consent_client.adapters.shards import Sharded, files, tables
from consent_client.errors import SourceError


class Format(StrEnum):
    """The forms that are screened in two stages."""

    FOLDER = "folder"
    TAR = "tar"
    PARQUET = "parquet"
    CSV = "csv"
    IMG2DATASET = "img2dataset"
    DATACOMP = "datacomp"
    CLIP_RETRIEVAL = "clip-retrieval"


def open_shards(
    text: str, form: Format | None, reading: Reading, opt_out: tuple[str, ...] = ()
) -> Sharded:
    """The data set at a path: a file, a folder, or a pattern such as `shards/*.tar`.

    Args:
        text: the path or pattern.
        form: None: told from what is there. A folder with `…_stats.json` is img2dataset's.
        reading: columns and folders.
        opt_out: columns with what sites said.

    Raises:
        SourceError: nothing there, several forms at once, or none that is read.
    """
    folder = Path(text)
    if form is None and folder.is_dir():
        if any(folder.glob("*_stats.json")):
            form = Format.IMG2DATASET
        elif (folder / clip_retrieval.METADATA / "metadata_0.parquet").is_file():
            form = Format.CLIP_RETRIEVAL
    if form is Format.IMG2DATASET:
        return img2dataset.downloaded(folder)
    if form is Format.CLIP_RETRIEVAL:
        choice = None if reading.columns == NO_CHOICE else reading.columns
        return clip_retrieval.embedded(folder, choice, opt_out)
    asked = Form.PARQUET if form is Format.DATACOMP else None if form is None else Form(form.value)
    told, paths = paths_of(text, asked)
    if form is Format.DATACOMP:
        return datacomp.metadata(paths, opt_out)
    if told is Form.PARQUET:
        return tables(paths, reading.columns, reading.root, opt_out)
    if opt_out:
        raise SourceError("columns with what sites said are read of Parquet tables only", text)
    return files(told, paths, reading.columns, reading.root, hardlink=reading.hardlink)
