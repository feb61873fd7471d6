"""`datasets`: maps and streams give the oracle's exclusions, and no cache outlives a snapshot."""

from dataclasses import replace

import pytest

datasets = pytest.importorskip("datasets", reason="no part of any extra; see tests/engines")

from consent_client.adapters.hf_datasets import Keep, keep_cleared, verdicts_of  # noqa: E402
from consent_client.protocol.verdicts import Verdict  # noqa: E402
from consent_client.screening.batches import Confirm  # noqa: E402
from tests.support import planted  # noqa: E402

pytestmark = pytest.mark.engines


def pictures(*, streaming=False):
    features = datasets.Features(
        {
            "key": datasets.Value("string"),
            "image": datasets.Image(decode=False),
            "url": datasets.Value("string"),
        }
    )
    rows = [
        {"key": each.key, "image": {"bytes": each.image, "path": None}, "url": each.url}
        for each in planted.samples()
    ]
    made = datasets.Dataset.from_list(rows, features=features)
    return made.to_iterable_dataset(num_shards=2) if streaming else made


@pytest.mark.usefixtures("token")
@pytest.mark.parametrize("streaming", [False, True])
def test_the_oracle(published, streaming):
    data = pictures(streaming=streaming)
    screening = published.screening(data.features.arrow_schema, confirm=Confirm.ONLINE)
    kept = keep_cleared(data, screening)
    assert {row["key"] for row in kept} == planted.KEPT
    with_unknown = keep_cleared(data, screening, keep_unknown=True)
    assert {row["key"] for row in with_unknown} == planted.KEPT | planted.UNCHECKED


@pytest.mark.parametrize("streaming", [False, True])
def test_without_the_registry_no_candidate_is_kept(published, streaming):
    data = pictures(streaming=streaming)
    screening = published.screening(data.features.arrow_schema)
    assert {row["key"] for row in keep_cleared(data, screening)} <= planted.KEPT
    rows = list(verdicts_of(data, screening).with_format(None))
    candidates = {row["key"] for row in rows if row["candidate"]}
    assert candidates >= planted.EXCLUDED
    assert all(row["verdict"] != Verdict.EXCLUDE for row in rows)


def test_the_snapshot_is_part_of_what_is_cached(published):
    from datasets.fingerprint import Hasher

    screening = published.screening(pictures().features.arrow_schema)
    assert Hasher.hash(Keep(screening)) == Hasher.hash(Keep(replace(screening)))
    other = replace(screening, digest="00" * 32)
    assert Hasher.hash(Keep(screening)) != Hasher.hash(Keep(other))
    assert Hasher.hash(Keep(screening)) != Hasher.hash(Keep(replace(screening, use="cawg.x")))


def test_in_processes_of_its_own(published):
    data = pictures()
    screening = published.screening(data.features.arrow_schema)
    formatted = data.with_format("arrow")
    kept = formatted.filter(Keep(screening), batched=True, batch_size=2, num_proc=2)
    assert set(kept.with_format(None)["key"]) <= planted.KEPT
