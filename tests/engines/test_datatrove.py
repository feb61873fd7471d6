"""datatrove: the filter gives the oracle's exclusions, of media and of metadata."""

import pytest

pytest.importorskip(
    "datatrove.pipeline.filters",
    reason="needs datatrove[processing], which is no part of any extra",
    exc_type=ImportError,
)

from datatrove.data import Document, Media, MediaType

from consent_client.adapters.datatrove import COLUMNS, ConsentFilter
from consent_client.screening.batches import Confirm
from tests.support import planted

pytestmark = pytest.mark.engines


def with_media(sample):
    media = Media(sample.key, MediaType.IMAGE, sample.url, media_bytes=sample.image)
    return Document("", sample.key, [media])


def with_metadata(sample):
    image = {"bytes": sample.image, "path": None}
    return Document("", sample.key, metadata={"image": image, "url": sample.url})


@pytest.mark.usefixtures("token")
@pytest.mark.parametrize("made", [with_media, with_metadata])
def test_the_oracle(published, made):
    screening = published.screening(columns=COLUMNS, confirm=Confirm.ONLINE)
    documents = [made(each) for each in planted.samples()]
    step = ConsentFilter(screening, batch_size=3)
    assert {each.id for each in step.run(iter(documents))} == planted.KEPT
    fates = dict(zip([each.id for each in documents], step.filter_batch(documents), strict=True))
    for key in planted.EXCLUDED:
        assert fates[key] == (False, "exclude")
    assert fates["damaged"] == (False, "unknown")


@pytest.mark.usefixtures("token")
def test_one_refused_picture_drops_its_document(published):
    screening = published.screening(columns=COLUMNS, confirm=Confirm.ONLINE)
    by_key = {each.key: with_media(each).media[0] for each in planted.samples()}
    together = Document("", "both", [by_key["cat"], by_key["exact"]])
    assert ConsentFilter(screening).filter(together) == (False, "exclude")


def test_documents_without_pictures_are_dropped_unless_told_otherwise(published):
    screening = published.screening(columns=COLUMNS)
    plain = Document("words", "plain", metadata={"url": "https://pages.example/"})
    assert ConsentFilter(screening).filter(plain) == (False, "no_picture")
    assert ConsentFilter(screening, keep_without_pictures=True).filter(plain) is True
