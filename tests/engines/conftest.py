"""The registry and the planted data set are those of tests/screening."""

from tests.screening.conftest import published, token

__all__ = ["published", "token"]
