"""One real server that is attacked, and another that has small limits."""

import pytest

from tests.support.serving import serving


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("attacked")) as it:
        yield it


@pytest.fixture(scope="session")
def token(server):
    return server.add_builder("attacker with a token")
