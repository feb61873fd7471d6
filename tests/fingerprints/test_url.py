"""The canonical form of addresses: by the standard, the same every time, and no guessing."""

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent_client.errors import BadUrl, ProtocolError
from consent_client.fingerprints.url import MAX_URL, canonical_url, url_fingerprint

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "url.json").read_text("utf-8"))
LAION = Path(__file__).parents[2] / ".." / "shared" / "data" / "laion" / "test_1000.parquet"


@pytest.mark.parametrize("vector", VECTORS["canonical"], ids=lambda vector: vector["url"][:60])
def test_canonical_form(vector):
    assert canonical_url(vector["url"]) == vector["canonical"]
    assert url_fingerprint(vector["url"]).hex() == vector["fingerprint"]
    assert canonical_url(vector["canonical"]) == vector["canonical"]


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda vector: vector["why"])
def test_refused(vector):
    with pytest.raises(BadUrl) as caught:
        canonical_url(vector["url"])
    assert isinstance(caught.value, ProtocolError)
    assert "secret" not in str(caught.value)


def test_fingerprint_is_the_digest_of_the_canonical_form():
    expected = hashlib.sha256(b"http://example.org/A.jpg").digest()
    assert url_fingerprint(" HTTP://EXAMPLE.org:80/A.jpg#top\n") == expected


@pytest.mark.parametrize(
    "pair",
    [
        ("http://example.org/a", "https://example.org/a"),
        ("http://example.org/a", "http://www.example.org/a"),
        ("http://example.org/a", "http://example.org/a/"),
        ("http://example.org/a", "http://example.org/A"),
        ("http://example.org/a", "http://example.org/a?"),
        ("http://example.org/?a=1&b=2", "http://example.org/?b=2&a=1"),
        ("http://example.org/?q=a+b", "http://example.org/?q=a%20b"),
        ("http://example.org/a%2Fb", "http://example.org/a/b"),
        ("http://example.org//a", "http://example.org/a"),
        ("http://example.org/a?utm_source=x", "http://example.org/a"),
    ],
    ids=lambda pair: pair[1],
)
def test_what_often_leads_to_the_same_picture_stays_different(pair):
    assert url_fingerprint(pair[0]) != url_fingerprint(pair[1])


def test_length_is_limited_before_and_after():
    start = "http://example.org/"
    at_most = start + "a" * (MAX_URL - len(start))
    assert canonical_url(at_most) == at_most
    for url in (at_most + "a", start + "é" * (MAX_URL // 4)):
        with pytest.raises(BadUrl):
            canonical_url(url)


def once_and_again(url):
    try:
        canonical = canonical_url(url)
    except BadUrl:
        return
    assert canonical.isascii()
    assert canonical.isprintable()
    assert " " not in canonical
    assert "#" not in canonical
    assert canonical_url(canonical) == canonical


ODD = st.text(st.sampled_from("aZ0.%2eEfF/:?#@[]\\ +&=é中-_~xn\t\0😀.。"), max_size=40)


@given(st.text(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_text(text):
    once_and_again(text)
    once_and_again(f"http://{text}")


@given(scheme=st.sampled_from(["http", "HTTPS"]), host=ODD, path=ODD, query=ODD)
@settings(max_examples=600, deadline=None)
def test_the_canonical_form_is_its_own(scheme, host, path, query):
    once_and_again(f"{scheme}://{host}/{path}?{query}")
    once_and_again(f"{scheme}://example.org/{path}?{query}")


@given(host=st.text(st.characters(min_codepoint=0x20, max_codepoint=0x2FFFF), max_size=30))
@settings(max_examples=500, deadline=None)
def test_any_host(host):
    once_and_again(f"https://{host}.example/")


@pytest.mark.shared_data
def test_a_thousand_addresses_of_a_real_list():
    if not LAION.exists():
        pytest.skip("../shared/data/laion is not here")
    parquet = pytest.importorskip("pyarrow.parquet")
    urls = parquet.read_table(LAION, columns=["URL"])["URL"].to_pylist()
    assert len(urls) == 1000
    canonical = [canonical_url(url) for url in urls]  # none is refused
    assert [canonical_url(url) for url in canonical] == canonical
    assert len(set(canonical)) == len(set(urls))
