"""datatrove: a filter that drops documents whose pictures must be left out.

Needs `pip install 'datatrove[processing]'`.

    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.readers import ParquetReader
    from datatrove.pipeline.writers import ParquetWriter
    from consent_client.adapters.datatrove import COLUMNS, ConsentFilter
    from consent_client.protocol.statements import Use
    from consent_client.screening.batches import Confirm, screening_of

    screening = screening_of(
        "snapshot", verifier_key, use=Use.AI_TRAINING, columns=COLUMNS,
        confirm=Confirm.ONLINE, registry="https://registry.example", dataset="documents",
    )
    pipeline = [ParquetReader("in"), ConsentFilter(screening), ParquetWriter("out")]
    LocalPipelineExecutor(pipeline).run()

Looked at are a document's media that are pictures, with their bytes and addresses, or where it has
none, `image`, `url` and `sha256` of its metadata, as readers of tables fill it in. A document is
kept when every picture of it may be. One without any is dropped, unless told otherwise.
"""

from collections.abc import Sequence
from typing import Any, Final

from datatrove.data import Document, MediaType
from datatrove.pipeline.filters.base_filter import BaseFilter

from consent_client.adapters.parquet import arrow
from consent_client.protocol.verdicts import Verdict
from consent_client.screening.batch_rows import BatchColumns
from consent_client.screening.batches import ScreenBatch, screen_batch

BATCH_DOCUMENTS: Final = 256

COLUMNS: Final = BatchColumns(image="image", url="url", sha256="sha256")
"""What is read of a document, for `screening_of`."""


class ConsentFilter(BaseFilter):  # type: ignore[misc]
    """Keeps documents whose pictures are CLEAR or PERMIT.

    Args:
        screening: what is asked, of `COLUMNS`.
        exclusion_writer: where dropped documents go, with `filter_reason` in their metadata.
        keep_without_pictures: keep documents that have none.
        batch_size: documents in memory at once.
    """

    name = "Consent"

    def __init__(
        self,
        screening: ScreenBatch,
        exclusion_writer: Any = None,
        *,
        keep_without_pictures: bool = False,
        batch_size: int = BATCH_DOCUMENTS,
    ) -> None:
        super().__init__(exclusion_writer, batch_size)
        self.screening = screening
        self.keep_without_pictures = keep_without_pictures

    def filter(self, doc: Document) -> bool | tuple[bool, str]:
        """One document; see `filter_batch`."""
        return self.filter_batch([doc])[0]

    def filter_batch(self, batch: Sequence[Document]) -> list[bool | tuple[bool, str]]:
        """Whether each document is kept, or why not: the verdict's name, in lower case."""
        pa, _ = arrow()
        owners, rows = [], []
        for number, document in enumerate(batch):
            for row in _pictures(document):
                owners.append(number)
                rows.append(row)
        schema = pa.schema([("image", pa.binary()), ("url", pa.string()), ("sha256", pa.string())])
        result = screen_batch(pa.RecordBatch.from_pylist(rows, schema), self.screening)
        worst: dict[int, Verdict] = {}
        for owner, value in zip(owners, result.column("verdict").to_pylist(), strict=True):
            worst[owner] = max(worst.get(owner, Verdict.CLEAR), Verdict(value), key=_SEVERITY.index)
        return [self._fate(worst.get(number)) for number in range(len(batch))]

    def _fate(self, verdict: Verdict | None) -> bool | tuple[bool, str]:
        if verdict is None:
            return True if self.keep_without_pictures else (False, "no_picture")
        if verdict in {Verdict.CLEAR, Verdict.PERMIT}:
            return True
        return False, verdict.name.lower()


_SEVERITY: Final = [Verdict.CLEAR, Verdict.PERMIT, Verdict.UNKNOWN, Verdict.EXCLUDE]


def _pictures(document: Document) -> list[dict[str, bytes | str | None]]:
    """What is known of each picture of a document."""
    found: list[dict[str, bytes | str | None]] = [
        {"image": _bytes(media.media_bytes), "url": _text(media.url), "sha256": None}
        for media in document.media
        if media.type == MediaType.IMAGE
    ]
    if found:
        return found
    image = document.metadata.get("image")
    inside = image.get("bytes") if isinstance(image, dict) else image
    row: dict[str, bytes | str | None] = {
        "image": _bytes(inside),
        "url": _text(document.metadata.get("url")),
        "sha256": _text(document.metadata.get("sha256")),
    }
    return [row] if row["image"] is not None else []


def _bytes(value: object) -> bytes | None:
    return value if isinstance(value, bytes) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
