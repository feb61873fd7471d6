"""The page's files over HTTP: only those, with the headers that keep the page to itself."""

import gzip
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from registry.app import create_app
from registry.settings import Settings
from registry.web import BUILT, page_routes

LISTING = Path(__file__).parents[2] / "THIRD_PARTY.md"
PAGE = b"<!doctype html><title>page</title>"
SCRIPT = b"export {};"


@pytest.fixture
def built(tmp_path: Path) -> Path:
    folder = tmp_path / "built"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_bytes(PAGE)
    (folder / "sw.js").write_bytes(SCRIPT)
    (folder / "assets" / "index-1a2b.js").write_bytes(SCRIPT)
    (folder / "notes.md").write_text("not part of the page")
    (folder / "linked.js").symlink_to(folder / "sw.js")
    (tmp_path / "outside.js").write_bytes(b"secret")
    return folder


@pytest.fixture
async def client(built: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(Starlette(routes=page_routes(built))) as made:
        yield made


def client_of(application: Starlette) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(application)
    return httpx.AsyncClient(transport=transport, base_url="http://registry.example")


async def test_the_page_and_its_files_are_served(client: httpx.AsyncClient) -> None:
    page = await client.get("/")
    assert page.content == PAGE
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == "no-cache"
    script = await client.get("/assets/index-1a2b.js")
    assert script.content == SCRIPT
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert "immutable" in script.headers["cache-control"]
    assert (await client.get("/sw.js")).headers["cache-control"] == "no-cache"
    assert (await client.head("/")).content == b""


@pytest.mark.parametrize(
    "path",
    [
        "/notes.md",
        "/linked.js",
        "/index.html",
        "/assets/",
        "/assets/%2e%2e/%2e%2e/outside.js",
        "/%2e%2e/outside.js",
        "/anything",
    ],
)
async def test_nothing_else_is(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == httpx.codes.NOT_FOUND


async def test_a_page_loads_and_tells_nothing_elsewhere(client: httpx.AsyncClient) -> None:
    for path in ("/", "/assets/index-1a2b.js"):
        headers = (await client.get(path)).headers
        policy = dict(
            part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";")
        )
        assert policy["default-src"] == "'none'"
        assert {
            policy[name] for name in ("script-src", "style-src", "connect-src", "worker-src")
        } == {"'self'"}
        assert policy["img-src"] == "'self' blob:"
        assert {policy[name] for name in ("base-uri", "form-action", "frame-ancestors")} == {
            "'none'"
        }
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["cross-origin-embedder-policy"] == "require-corp"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "set-cookie" not in headers
        assert "access-control-allow-origin" not in headers


async def test_what_is_known_already_is_not_sent_again(client: httpx.AsyncClient) -> None:
    etag = (await client.get("/")).headers["etag"]
    again = await client.get("/", headers={"if-none-match": etag})
    assert again.status_code == httpx.codes.NOT_MODIFIED
    assert again.content == b""
    assert "content-security-policy" in again.headers


async def test_who_takes_gzip_gets_gzip(client: httpx.AsyncClient) -> None:
    async with client.stream("GET", "/", headers={"accept-encoding": "gzip"}) as answer:
        sent = b"".join([part async for part in answer.aiter_raw()])
    assert gzip.decompress(sent) == PAGE
    assert answer.headers["vary"] == "accept-encoding"
    plain = await client.get("/", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers


@pytest.mark.parametrize(
    ("wished", "language"),
    [
        ("de-CH,de;q=0.9,en;q=0.8", "de"),
        ("FR", "fr"),
        ("nl, fr;q=0.5", "fr"),
        ("nl", "en"),
        ("", "en"),
        ('<x>; rel="preload", "', "en"),
    ],
)
async def test_the_messages_of_the_language_come_with_the_script(
    built: Path, wished: str, language: str
) -> None:
    for name in ("en", "de", "fr"):
        (built / "assets" / f"{name}-Ab_-12.js").write_bytes(SCRIPT)
    async with client_of(Starlette(routes=page_routes(built))) as client:
        page = await client.get("/", headers={"accept-language": wished})
        assert page.headers["link"] == f"</assets/{language}-Ab_-12.js>; rel=modulepreload"
        assert "accept-language" in page.headers["vary"]
        script = await client.get("/assets/index-1a2b.js", headers={"accept-language": wished})
        assert "link" not in script.headers


async def test_without_built_files_a_page_says_so(tmp_path: Path) -> None:
    async with client_of(Starlette(routes=page_routes(tmp_path / "nothing"))) as client:
        page = await client.get("/")
        assert "make web" in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert (await client.get("/sw.js")).status_code == httpx.codes.NOT_FOUND


async def test_the_registry_has_a_page(tmp_path: Path) -> None:
    async with client_of(create_app(Settings(data_dir=tmp_path))) as client:
        page = await client.get("/")
        assert page.status_code == httpx.codes.OK
        assert "content-security-policy" in page.headers


def _fetched_by(path: Path) -> set[Path]:
    """A script, and all that it imports to begin with."""
    found = {path}
    for name in re.findall(r"""(?:from|import)\s*["']\./([\w-]+\.js)["']""", path.read_text()):
        found |= _fetched_by(path.parent / name)
    return found


@pytest.mark.skipif(not BUILT.is_dir(), reason="the page is not built: make web")
def test_the_built_page_stays_small() -> None:
    """Less than 300 KB before any model.

    Registering in one language takes less than that as it is, not compressed; and as it is sent,
    the whole page, with all four pages in all languages, less than half of it.
    """
    entry = (BUILT / "index.html").read_text()
    scripts = [
        path for path in (BUILT / "assets").glob("*.js") if f'src="/assets/{path.name}"' in entry
    ]
    first = set().union(*map(_fetched_by, scripts))
    first |= {BUILT / "index.html", BUILT / "icon.svg", *BUILT.glob("assets/*.css")}
    for language in ("en", "de", "fr"):
        (messages,) = BUILT.glob(f"assets/{language}-*.js")
        later = [
            path
            for name in ("fingerprints", "worker", "hpke")
            for path in BUILT.glob(f"assets/{name}-*.js")
        ]
        assert len(later) == 3
        assert sum(path.stat().st_size for path in {*first, *later, messages}) < 300_000
    pages = [path for path in BUILT.rglob("*") if path.suffix in {".html", ".js", ".css", ".svg"}]
    assert sum(len(gzip.compress(path.read_bytes())) for path in pages) < 150_000


@pytest.mark.skipif(not BUILT.is_dir(), reason="the page is not built: make web")
def test_the_built_page_comes_with_the_licences_of_what_is_in_it() -> None:
    _, _, rest = LISTING.read_text().partition("## In the page")
    section, _, _ = rest.partition("\n## ")
    names = re.findall(r"`([^`]+)` \|", section)
    assert "preact" in names
    text = (BUILT / "licences.txt").read_text()
    assert [name for name in names if f"{name} " not in text] == []
    assert "Permission is hereby granted" in text


@pytest.mark.skipif(not BUILT.is_dir(), reason="the page is not built: make web")
def test_the_built_page_names_nobody_else() -> None:
    """No address of another host in what browsers load; the policy would stop it anyway."""
    for path in BUILT.rglob("*"):
        if path.suffix == ".html":
            text = path.read_text()
            assert "http:" not in text
            assert "https:" not in text
            assert "<style" not in text
            assert " style=" not in text
            assert "<script>" not in text
