import dataclasses

import pytest

from consent_client.errors import UnknownSpace
from consent_client.protocol.fingerprints import encode_list
from consent_client.protocol.spaces import (
    MAX_FACES,
    MAX_LIST_BYTES,
    PERSON_SPACES,
    SPACES,
    WORK_SPACES,
    Kind,
    Subject,
    space,
)


def test_the_spaces_of_this_version():
    found = {s.id: (s.kind, s.dimension, s.size, s.radius, s.threshold) for s in SPACES.values()}
    assert found == {
        "face-1": (Kind.FLOAT, 128, 256, None, 0.5),
        "pdq-1": (Kind.BINARY, 256, 32, 31, None),
        "sha256": (Kind.EXACT, 256, 32, None, None),
        "sscd-1": (Kind.FLOAT, 512, 1024, None, 0.5),
        "url-1": (Kind.EXACT, 256, 32, None, None),
    }
    assert list(SPACES) == sorted(SPACES)


def test_people_are_told_apart_from_works_and_never_in_a_snapshot():
    assert PERSON_SPACES == ("face-1",)
    assert WORK_SPACES == ("pdq-1", "sha256", "sscd-1", "url-1")
    for each in SPACES.values():
        assert each.in_snapshots is (each.subject is Subject.WORK)
        assert each.most_per_candidate == (1 if each.subject is Subject.WORK else MAX_FACES)
    assert not space("face-1").in_snapshots


def test_a_space_is_found_by_its_id_or_not_at_all():
    assert space("pdq-1") is SPACES["pdq-1"]
    for unknown in ("", "PDQ-1", "pdq-2", "pdq-1 "):
        with pytest.raises(UnknownSpace):
            space(unknown)


def test_spaces_can_not_be_changed():
    with pytest.raises(TypeError):
        SPACES["other"] = SPACES["pdq-1"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        SPACES["pdq-1"].radius = 256


def test_what_a_client_registers_fits_the_list():
    full = {
        "sha256": [bytes(32)],
        "url-1": [bytes(32)] * 8,
        "pdq-1": [bytes(32)] * 8,
        "sscd-1": [bytes(1024)] * 2,
        "face-1": [bytes(256)] * 2,
    }
    assert len(encode_list(full)) < MAX_LIST_BYTES
