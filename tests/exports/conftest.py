"""Statements of every kind."""

from pathlib import Path

import pytest
from hypothesis import strategies as st

from consent_client.protocol.statements import Basis, Purpose, Stance, Statement

DATA = Path(__file__).parent / "data"

STATEMENTS = st.builds(
    Statement,
    stances=st.tuples(*[st.sampled_from(Stance)] * 4).filter(any),
    basis=st.sampled_from(Basis),
    given_for=st.sampled_from(Purpose),
    valid_until=st.just(0) | st.integers(1, 2**32 - 1),
)


@pytest.fixture(scope="session")
def data() -> Path:
    return DATA
