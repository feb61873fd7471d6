"""What calibrations showed: published once, read by anyone, on both databases."""

from dataclasses import replace

import pytest

from registry.errors import Conflict, CorruptRegistry
from registry.services.calibrations import SHOWN, Calibration, PolicyResult, publish, published

RESULT = PolicyResult("small", 1, 3, 1, 1, 2, 1, 0, 0.25, 0.0063, 0.8059)
ONE = Calibration("a1", "a set", 4, 1, ("pdq-1", "sscd-1"), 3, 9, 2, "small", (RESULT,))


async def test_a_calibration_is_published_once_and_stays(store):
    assert await published(store) == []
    assert await publish(store, ONE, 20_000)
    assert not await publish(store, ONE, 20_001)
    with pytest.raises(Conflict):
        await publish(store, replace(ONE, sample="another"), 20_001)
    assert await publish(store, replace(ONE, run="b2"), 20_002)
    found = await published(store)
    assert [(each.day, each.calibration.run) for each in found] == [(20_002, "b2"), (20_000, "a1")]
    assert found[1].calibration == ONE


async def test_only_the_newest_are_shown(store):
    for number in range(SHOWN + 2):
        await publish(store, replace(ONE, run=str(number)), number)
    assert [each.day for each in await published(store)] == list(range(SHOWN + 1, 1, -1))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version":2}', ONE.encode()[:-1]])
def test_what_is_no_calibration_is_corruption(text):
    with pytest.raises(CorruptRegistry):
        Calibration.decode(text)


def test_the_stored_form_comes_back_as_it_was():
    assert Calibration.decode(ONE.encode()) == ONE
