import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_client.errors import Malformed
from consent_client.protocol.origins import MAX_ORIGIN_BYTES, check_origin, origin_bytes


@pytest.mark.parametrize(
    "origin", ["a", "registry.example", "registry.example:8000/2026", "a" * MAX_ORIGIN_BYTES]
)
def test_names_of_registries(origin):
    assert check_origin(origin) == origin
    assert origin_bytes(origin) == origin.encode()


@given(st.text(max_size=8))
def test_any_text_is_printable_ascii_without_space_and_plus_or_refused(origin):
    allowed = bool(origin) and all("!" <= letter <= "~" and letter != "+" for letter in origin)
    if allowed:
        assert check_origin(origin) == origin
    else:
        with pytest.raises(Malformed):
            check_origin(origin)
