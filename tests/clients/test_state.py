"""What is kept on a device: private, whole, never overwritten when it is not ours."""

import contextlib
import json
import multiprocessing
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_client import state as state_module
from consent_client.errors import BadPhrase, NoPhrase, StateError, StateLocked
from consent_client.private_files import create_private, read_private, write_private
from consent_client.protocol.keys import derive_owner, new_phrase
from consent_client.protocol.notes import NoteSigner
from consent_client.protocol.records import build_registration
from consent_client.protocol.sealing import SealingKey, SealingSecret, Suite
from consent_client.registrant import refusal
from consent_client.saved_records import SavedRecord, Stage, keep_list, kept_fingerprints
from consent_client.state import PinnedRegistry, State
from tests.support.people import Picture

ORIGIN = "registry.example"
VKEY = NoteSigner(ORIGIN, bytes(range(32))).verifier.vkey


def waiting(state: State, index: int = 0) -> SavedRecord:
    picture = Picture(index)
    owner = derive_owner(state.seed(), ORIGIN, index)
    secret = SealingSecret.generate(Suite.X25519)
    key = SealingKey(Suite.X25519, secret.public_bytes, 1, 2)
    request = build_registration(owner, ORIGIN, refusal(), picture.fingerprints, key)
    return SavedRecord(
        origin=ORIGIN,
        index=index,
        label="a picture",
        opening=owner.opening,
        image_digest=None,
        statement=refusal(),
        owner_public_key=owner.public,
        commitment=request.commitment,
        stage=Stage.WAITING,
        request=request,
        kept_list=keep_list(state.seed(), ORIGIN, index, picture.fingerprints),
    )


@pytest.fixture
def kept(state: Path) -> State:
    opened = State(state)
    opened.create_phrase()
    opened.save_registry(PinnedRegistry("https://registry.example", ORIGIN, VKEY))
    opened.save_record(waiting(opened))
    return opened


def record_file(kept: State) -> Path:
    (path,) = (kept.folder / "records").glob("*.json")
    return path


def test_what_is_saved_is_read_again(kept: State) -> None:
    (record,) = kept.records(ORIGIN)
    assert record == kept.record(ORIGIN, 0)
    assert SavedRecord.from_json(record.to_json(), "x") == record
    assert kept.records("another.example") == []
    assert kept_fingerprints(kept.seed(), record) == Picture(0).fingerprints
    kept.check_owner(record)


def test_numbers_are_not_given_twice(kept: State, state: Path) -> None:
    assert [kept.take_index(ORIGIN), State(state).take_index(ORIGIN)] == [1, 2]
    pinned = kept.registry(ORIGIN)
    kept.save_registry(replace(pinned, next_index=0))  # as after an old backup
    assert kept.take_index(ORIGIN) == 1


def test_a_phrase_is_never_replaced(kept: State) -> None:
    words = kept.phrase()
    with pytest.raises(StateError, match="there already"):
        kept.create_phrase(new_phrase())
    assert kept.phrase() == words


def test_no_phrase_and_no_phrase_at_all(state: Path) -> None:
    opened = State(state)
    with pytest.raises(NoPhrase):
        opened.phrase()
    with pytest.raises(BadPhrase):
        opened.create_phrase("twelve words")
    assert not opened.has_phrase()


NAMED_CORRUPTIONS = {
    "empty": lambda _: b"",
    "cut in the middle": lambda data: data[: len(data) // 2],
    "cut by one": lambda data: data[:-3],
    "zeros": lambda data: bytes(len(data)),
    "another program's": lambda _: b'{"kind": "something else"}',
    "a list": lambda _: b"[]",
    "not text": lambda data: b"\xff\xfe" + data,
    "too long": lambda data: data + b" " * 2**20,
    "deeply nested": lambda _: b"[" * 100_000,
}


@pytest.mark.parametrize("corruption", NAMED_CORRUPTIONS)
@pytest.mark.parametrize("which", ["record", "registry", "phrase"])
def test_a_corrupted_file_is_named_and_left_as_it_is(
    kept: State, corruption: str, which: str
) -> None:
    path = {
        "record": record_file(kept),
        "registry": next((kept.folder / "registries").glob("*.json")),
        "phrase": kept.phrase_file,
    }[which]
    record, pinned = kept.record(ORIGIN, 0), kept.registry(ORIGIN)
    damaged = NAMED_CORRUPTIONS[corruption](path.read_bytes())
    path.write_bytes(damaged)
    calls = {
        "record": [kept.records, lambda: kept.save_record(record), lambda: kept.take_index(ORIGIN)],
        "registry": [kept.registries, lambda: kept.take_index(ORIGIN)],
        "phrase": [kept.phrase, kept.seed, lambda: kept.check_owner(record), kept.create_phrase],
    }[which]
    for call in calls:
        with pytest.raises(StateError) as caught:
            call()
        assert path.name in str(caught.value)
        assert caught.value.path == str(path)
    assert path.read_bytes() == damaged
    assert pinned is not None


def test_a_record_under_another_name_is_refused(kept: State) -> None:
    path = record_file(kept)
    path.rename(path.with_name(path.name.replace("0.json", "7.json")))
    with pytest.raises(StateError, match="another record"):
        kept.records()


@given(data=st.data())
def test_a_garbled_record_raises_nothing_else(data: st.DataObject) -> None:
    value = json.loads(GARBLED)
    name = data.draw(st.sampled_from(sorted(value)))
    value[name] = data.draw(
        st.one_of(
            st.none(),
            st.integers(),
            st.text(max_size=20),
            st.floats(),
            st.lists(st.integers(), max_size=2),
            st.sampled_from(["AAAA", "active", "sent", -1, 2**64, {}]),
        )
    )
    content = json.dumps(value).encode()
    with contextlib.suppress(StateError):
        SavedRecord.from_json(content[: data.draw(st.integers(0, len(content)))], "file")


def _garbled() -> bytes:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        opened = State(Path(folder) / "state")
        opened.create_phrase()
        return waiting(opened).to_json()


GARBLED = _garbled()


@pytest.mark.parametrize(
    "change",
    [
        {"stage": "registered"},
        {"request": None},
        {"keptList": None},
        {"commitment": "A" * 43 + "="},
        {"ownerPublicKey": "A" * 43 + "="},
        {"opening": "AAAA"},
        {"index": 2**32},
        {"origin": "two words"},
        {"sendAfter": 10**400},
        {"sendAfter": float("nan")},
        {"sendAfter": -1},
        {"movedTo": 2**32},
        {"stage": "lost"},
        {"stage": "withdrawing", "request": None},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_record_that_contradicts_itself_is_refused(change: dict[str, object]) -> None:
    content = json.dumps(json.loads(GARBLED) | change).encode()
    with pytest.raises(StateError):
        SavedRecord.from_json(content, "file")


@pytest.mark.skipif(os.name != "posix", reason="modes and owners are of POSIX")
class TestOthers:
    def test_files_others_can_read_are_refused(self, kept: State) -> None:
        for path in (record_file(kept), kept.phrase_file):
            path.chmod(0o640)
            with pytest.raises(StateError, match="others may read"):
                read_private(path)
            with pytest.raises(StateError, match="others may read"):
                write_private(path, b"x")
            assert path.read_bytes() != b"x"
            path.chmod(0o600)

    def test_a_folder_others_can_enter_is_refused(self, kept: State) -> None:
        kept.folder.chmod(0o755)
        with pytest.raises(StateError, match="chmod 700"):
            State(kept.folder)

    def test_links_are_not_followed(self, kept: State, tmp_path: Path) -> None:
        target = tmp_path / "target"
        target.write_bytes(record_file(kept).read_bytes())
        target.chmod(0o600)
        path = record_file(kept)
        path.unlink()
        path.symlink_to(target)
        before = target.read_bytes()
        with pytest.raises(StateError):
            kept.records()
        with pytest.raises(StateError):
            write_private(path, b"x")
        assert target.read_bytes() == before

    def test_a_pipe_is_not_waited_for(self, kept: State) -> None:
        kept.phrase_file.unlink()
        os.mkfifo(kept.phrase_file, 0o600)
        with pytest.raises(StateError, match="regular"):
            kept.phrase()

    @pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs root")
    def test_another_users_files_are_refused(self, kept: State) -> None:
        os.chown(record_file(kept), 65_534, 65_534)
        with pytest.raises(StateError, match="another user"):
            kept.records()


def test_what_a_kill_left_is_removed_under_the_lock(kept: State) -> None:
    leftover = kept.folder / "records" / ".new-0011223344556677"
    leftover.write_bytes(b"half a record")
    assert len(kept.records()) == 1
    with kept.locked():
        assert not leftover.exists()


def test_nothing_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "file"
    create_private(path, b"first")
    with pytest.raises(StateError):
        create_private(path, b"second")
    assert path.read_bytes() == b"first"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def _hold(folder: Path, held: object, done: object) -> None:
    with State(folder).locked():
        held.set()
        done.wait(30)


def test_two_clients_do_not_write_at_once(kept: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_module, "LOCK_SECONDS", 0.3)
    context = multiprocessing.get_context("spawn")
    held, done = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(kept.folder, held, done))
    other.start()
    assert held.wait(30)
    with pytest.raises(StateLocked), kept.locked():
        pass
    done.set()
    other.join()
    with kept.locked(), kept.locked():
        pass
