"""One real server for the tests of the API."""

import pytest

from tests.support.serving import serving


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("server"), CONSENT_REGISTRY_DEVELOPMENT="false") as it:
        yield it


@pytest.fixture(scope="session")
def token(server):
    return server.add_builder("API tests")
