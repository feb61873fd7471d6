"""Committed screenings: fixed before, logged after, and certified."""

import io
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent_client.errors import ProtocolError
from consent_client.protocol.certificates import (
    certify_digest,
    check_evidence,
    check_logged,
    sign_certificate,
    verify_certificate,
)
from consent_client.protocol.contests import Contest, CropColumn
from consent_client.protocol.encoding import pack_bitmap
from consent_client.protocol.log import Certify, Close, Session, decode_entry
from consent_client.protocol.manifests import BLOCK_ROWS, commitment
from consent_client.protocol.merkle import root_of
from consent_client.protocol.results import Answered, results_block_root, verify_evidence
from consent_client.protocol.screening import Column
from consent_client.protocol.verdicts import Verdict
from registry.errors import Conflict, InvalidInput
from registry.services.certification import certify
from registry.services.contest import contest
from registry.store import entries
from tests.services.test_contest import Alike, crops_of
from tests.support.committing import PUBLIC, Committed
from tests.support.people import Picture

CAT = Picture(1)


def images(count):
    """Different files of no known picture, and one that is the cat's."""
    made = [{"sha256": sha256(b"%d" % number).digest()} for number in range(count - 1)]
    return [*made, {name: CAT.one(name) for name in ("sha256", "pdq-1")}]


async def entry(harness, index):
    async with harness.registry.store.read() as connection:
        (data,) = await entries.read_data(connection, index, 1)
    return decode_entry(data)


@pytest.fixture
async def ready(harness):
    await harness.protect(CAT)
    made = Committed(harness, images(BLOCK_ROWS + 300))
    await made.open()
    return made


async def test_a_session_is_logged_blinded_when_it_opens(ready, harness):
    logged = await ready.logged()
    session = await entry(harness, logged.session_index)
    assert session == Session(
        builder=sha256(PUBLIC).digest(),
        commitment=commitment(ready.salt, ready.paths.root, len(ready.rows)),
        count=len(ready.rows),
        terms=sha256(ready.screening.terms.encode()).digest(),
    )
    assert logged.close_index is None


async def test_from_commitment_to_a_certificate_that_needs_nobody(ready, harness):
    await ready.ask_all()
    closing = await ready.close()
    assert closing.verdicts[Verdict.EXCLUDE] == 1
    close = await entry(harness, closing.logged.close_index)
    assert isinstance(close, Close)
    certificate = ready.certificate(closing)
    index = await certify(harness.registry, ready.builder, ready.screening.id, certificate)
    logged = await entry(harness, index)
    assert logged == Certify(closing.logged.session_index, certify_digest(certificate))
    again = await certify(harness.registry, ready.builder, ready.screening.id, certificate)
    assert again == index

    read = verify_certificate(certificate)
    check_logged(read, await entry(harness, read.session_index), close)
    evidence = verify_evidence(
        io.BytesIO(ready.evidence()), ready.shipped, len(ready.rows), close, read.close_index
    )
    check_evidence(read, evidence)
    assert read.shipped_count == len(ready.rows) - 1


async def test_blocks_come_in_order_and_the_same_again_is_free(ready):
    with pytest.raises(InvalidInput, match="in order"):
        await ready.ask(ready.block(1))
    first = await ready.ask(ready.block(0))
    assert await ready.ask(ready.block(0)) == first
    await ready.ask(ready.block(1))


def changes(block, other):
    """What is not the block that was committed to."""
    files = next(column for column in block.columns if column.space_id == "sha256")
    rest = tuple(column for column in block.columns if column is not files)
    data = files.data
    return {
        "without a path": replace(block, audit_path=()),
        "another path": replace(block, audit_path=other.audit_path),
        "a path that is too long": replace(block, audit_path=(*block.audit_path, bytes(32))),
        "another place": replace(block, number=1),
        "beyond the end": replace(block, number=7),
        "without files": replace(block, columns=rest or (replace(files, space_id="url-1"),)),
        "another file": replace(
            block, columns=(*rest, replace(files, data=b"\0" * 32 + data[32:]))
        ),
        "two exchanged": replace(
            block, columns=(*rest, replace(files, data=data[32:64] + data[:32] + data[64:]))
        ),
        "one twice": replace(
            block, columns=(*rest, replace(files, data=data[:32] * 2 + data[64:]))
        ),
        "other fingerprints": replace(block, columns=(files,) if rest else (*rest,)),
        "fewer": other,
    }


async def test_what_was_not_committed_to_is_refused_and_nothing_is_kept(ready, harness):
    with_cat = next(n for n in range(2) if len(ready.block(n).columns) > 1)
    if with_cat == 1:
        await ready.ask(ready.block(0))
    block, other = ready.block(with_cat), ready.block(1 - with_cat)
    before = await ready.logged()
    for name, changed in changes(block, other).items():
        if changed == other and with_cat == 1:
            continue
        try:
            await ready.ask(changed)
        except (InvalidInput, ProtocolError):
            continue
        raise AssertionError(name)
    assert await ready.logged() == before
    await ready.ask(block)


@pytest.mark.parametrize(
    "changed",
    [{"root": bytes(31)}, {"salt": bytes(33)}, {"builder_key": bytes(32)}, {"builder_key": b"x"}],
)
async def test_a_commitment_to_nothing_is_refused(harness, changed):
    with pytest.raises(InvalidInput):
        await Committed(harness, images(10)).open(**changed)


async def test_it_is_closed_when_all_was_answered_and_then_nothing_changes(ready):
    with pytest.raises(InvalidInput):
        await ready.close()
    await ready.ask(ready.block(0))
    with pytest.raises(InvalidInput, match="every row"):
        await ready.close()
    await ready.ask(ready.block(1))
    closing = await ready.close()
    assert await ready.close() == closing
    assert (await ready.ask(ready.block(1))).number == 1  # what was answered stays
    assert await ready.close() == closing


async def test_no_certificate_that_says_something_else_is_logged(ready, harness):
    with pytest.raises(InvalidInput, match="closed"):
        await certify(harness.registry, ready.builder, ready.screening.id, b"{}")
    await ready.ask_all()
    closing = await ready.close()
    verdicts = dict(closing.verdicts)
    verdicts[Verdict.CLEAR] += 1
    verdicts[Verdict.EXCLUDE] -= 1
    for changed in (
        {"registry": "other.example/registry"},
        {"session_index": closing.logged.session_index - 1},
        {"close_index": closing.logged.close_index + 1},
        {"results_root": bytes(32)},
        {"terms": "{}"},
        {"verdicts": verdicts},
        {"spaces": {"sha256": 5}},
    ):
        certificate = ready.certificate(closing, **changed)
        with pytest.raises(InvalidInput):
            await certify(harness.registry, ready.builder, ready.screening.id, certificate)
    stranger = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
    read = verify_certificate(ready.certificate(closing))
    public = stranger.public_key().public_bytes_raw()
    forged = sign_certificate(replace(read, builder=public), stranger)
    for bad in (forged, b"", b"{", b"\xff", ready.certificate(closing)[:-5]):
        with pytest.raises(ProtocolError):
            await certify(harness.registry, ready.builder, ready.screening.id, bad)
    assert (await ready.logged()).certify_index is None


async def test_a_second_certificate_says_that_it_takes_the_place_of_the_first(ready, harness):
    await ready.ask_all()
    closing = await ready.close()
    first = ready.certificate(closing)
    await certify(harness.registry, ready.builder, ready.screening.id, first)
    other = ready.certificate(closing, tool=("another", "1"))
    with pytest.raises(Conflict):
        await certify(harness.registry, ready.builder, ready.screening.id, other)
    later = ready.certificate(closing, tool=("x", "1"), supersedes=certify_digest(first))
    index = await certify(harness.registry, ready.builder, ready.screening.id, later)
    assert (await ready.logged()).certify_digest == certify_digest(later)
    assert (await entry(harness, index)).digest == certify_digest(later)


async def test_a_contest_changes_the_results_that_are_logged(harness):
    await harness.protect(CAT)
    chance = Alike(11, CAT, 0.52)
    pictures = [
        *images(1_000)[:-1],
        {name: chance.one(name) for name in ("sha256", "sscd-1")},
    ]
    made = Committed(harness, pictures)
    await made.open()
    await made.ask(made.block(0))
    excluded = made.answers[0].verdicts.index(Verdict.EXCLUDE)
    assert made.images[excluded]["sscd-1"] == chance.sscd
    which = np.zeros(len(pictures), np.bool_)
    which[excluded] = True
    columns = tuple(
        Column(name, np.ones(1, np.bool_), chance.one(name)) for name in ("sha256", "sscd-1")
    )
    crops = CropColumn("sscd-1", b"".join(crops_of(CAT, 0.2)))
    contested = Contest(0, pack_bitmap(which), columns, (crops,))
    asked = (harness.registry, made.builder, made.screening.id, contested)
    for manifest, path in ((b"", ()), (made.blocks[0][:-64], made.paths.path(0))):
        with pytest.raises((InvalidInput, ProtocolError)):
            await contest(*asked, manifest, path)
    answer = await contest(*asked, made.blocks[0], made.paths.path(0))
    assert answer.verdicts == bytes([Verdict.CLEAR])
    assert await contest(*asked, made.blocks[0], made.paths.path(0)) == answer

    verdicts = bytearray(made.answers[0].verdicts)
    before = made.answers[0]
    verdicts[excluded] = Verdict.CLEAR
    made.answers[0] = Answered(before.log_size, bytes(verdicts))
    closing = await made.close()
    assert closing.verdicts[Verdict.CLEAR] == len(pictures)
    expected = results_block_root(made.secret, 0, made.blocks[0], made.answers[0])
    assert closing.logged.results_root == root_of([expected])
    assert len(made.shipped) == len(pictures)
    close = await entry(harness, closing.logged.close_index)
    verify_evidence(
        io.BytesIO(made.evidence()),
        made.shipped,
        len(pictures),
        close,
        closing.logged.close_index,
    )
