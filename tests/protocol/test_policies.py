import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_client.errors import BadCheckpoint, BadNote, BadPolicy
from consent_client.protocol.checkpoints import Checkpoint, sign_checkpoint
from consent_client.protocol.cosignatures import WitnessSigner, cosign
from consent_client.protocol.notes import NoteSignature, NoteSigner, add_signature, sign_note
from consent_client.protocol.policies import (
    MAX_POLICY_BYTES,
    Group,
    Standing,
    parse_policy,
    vouch,
)

LOG = NoteSigner("registry.example/2026", bytes(range(32)))
OTHER_LOG = NoteSigner("other.example", b"\2" * 32)
WITNESSES = {
    name: WitnessSigner(f"witness.example/{name}", name.encode() * 16)
    for name in ("X1", "X2", "X3", "Y1", "Y2", "Y3")
}
CHECKPOINT = Checkpoint(LOG.name, 7, bytes(range(32)))
NOTE = sign_checkpoint(CHECKPOINT, LOG)

LOG_LINE = f"log {LOG.verifier.vkey}\n"
WITNESS_LINES = {
    name: f"witness {name} {signer.verifier.vkey}\n" for name, signer in WITNESSES.items()
}
ALL_WITNESSES = "".join(WITNESS_LINES.values())
EXAMPLE = (
    LOG_LINE
    + ALL_WITNESSES
    + "group X-witnesses 2 X1 X2 X3\n"
    + "group Y-witnesses any Y1 Y2 Y3\n"
    + "group X-and-Y all X-witnesses Y-witnesses\n"
    + "quorum X-and-Y\n"
)


def policy(text):
    return parse_policy(text.encode())


def cosigned(*names, note=NOTE):
    for name in names:
        note = add_signature(note, cosign(CHECKPOINT.encode(), WITNESSES[name], 1))
    return note


def test_the_example_of_the_specification():
    parsed = policy(EXAMPLE)
    for size in range(4):
        for names in itertools.combinations(WITNESSES, size):
            enough = sum(name[0] == "X" for name in names) >= 2 and any(
                name[0] == "Y" for name in names
            )
            vouched = vouch(parsed, cosigned(*names))
            assert vouched.checkpoint == CHECKPOINT
            assert vouched.satisfied == enough
            assert vouched.standing is (Standing.WITNESSED if enough else Standing.UNWITNESSED)
            assert [each.witness for each in vouched.cosignatures] == [
                WITNESSES[name].verifier for name in names
            ]


def test_without_a_quorum_only_the_log_vouches():
    vouched = vouch(policy(LOG_LINE + ALL_WITNESSES + "quorum none\n"), cosigned("X1"))
    assert vouched.satisfied
    assert vouched.standing is Standing.UNWITNESSED
    assert [each.witness for each in vouched.cosignatures] == [WITNESSES["X1"].verifier]


def test_a_quorum_may_be_one_witness():
    parsed = policy(LOG_LINE + ALL_WITNESSES + "quorum X1\n")
    assert vouch(parsed, cosigned("X1")).standing is Standing.WITNESSED
    assert vouch(parsed, cosigned("X2", "Y1")).standing is Standing.UNWITNESSED


def test_a_stranger_under_a_witness_s_name_does_not_count():
    parsed = policy(LOG_LINE + ALL_WITNESSES + "quorum X1\n")
    stranger = WitnessSigner(WITNESSES["X1"].name, bytes(32))
    vouched = vouch(parsed, add_signature(NOTE, cosign(CHECKPOINT.encode(), stranger, 1)))
    assert not vouched.satisfied
    assert vouched.cosignatures == ()


def test_a_witness_s_cosignature_that_is_wrong_spoils_the_checkpoint():
    good = cosign(CHECKPOINT.encode(), WITNESSES["X1"], 1)
    wrong = NoteSignature(good.name, good.key_hash, bytes(72))
    for quorum in ("none", "X1", "Y1"):
        parsed = policy(LOG_LINE + ALL_WITNESSES + f"quorum {quorum}\n")
        with pytest.raises(BadNote):
            vouch(parsed, add_signature(cosigned("Y1"), wrong))


def test_a_checkpoint_is_of_a_log_of_the_policy():
    parsed = policy(EXAMPLE)
    for note in (
        sign_checkpoint(Checkpoint(OTHER_LOG.name, 7, CHECKPOINT.root), OTHER_LOG),
        sign_note(CHECKPOINT.encode(), NoteSigner(LOG.name, bytes(32))),
        "text\n",
    ):
        with pytest.raises(BadNote):
            vouch(parsed, note)
    with pytest.raises(BadNote):
        vouch(policy("quorum none\n"), NOTE)
    with pytest.raises(BadCheckpoint):
        vouch(parsed, sign_note("other.example\n" + CHECKPOINT.encode().partition("\n")[2], LOG))


def test_each_of_several_logs_is_taken():
    successor = NoteSigner(LOG.name, b"\3" * 32)
    text = "".join(f"log {log.verifier.vkey}\n" for log in (LOG, OTHER_LOG, successor))
    parsed = policy(text + "quorum none\n")
    other = Checkpoint(OTHER_LOG.name, 9, CHECKPOINT.root)
    assert vouch(parsed, sign_checkpoint(other, OTHER_LOG)).checkpoint == other
    assert vouch(parsed, sign_checkpoint(CHECKPOINT, successor)).checkpoint == CHECKPOINT


def test_addresses_comments_and_whitespace():
    parsed = policy(
        "# comment\n \t# another, Überschrift\n\n \t \n"
        f"\tlog  {LOG.verifier.vkey}\thttps://registry.example/log \n"
        f"witness X1 {WITNESSES['X1'].verifier.vkey} https://witness.example/\n"
        "quorum X1\n"
    )
    assert parsed.logs[0].url == "https://registry.example/log"
    assert parsed.witnesses["X1"].url == "https://witness.example/"


def test_names_are_opaque_bytes():
    vkeys = [WITNESSES[name].verifier.vkey.encode() for name in ("X1", "X2", "X3")]
    names = [b"K", "\u212a".encode(), b"\xff\xa0"]
    lines = b"".join(b"witness %s %s\n" % pair for pair in zip(names, vkeys, strict=True))
    parsed = parse_policy(LOG_LINE.encode() + lines + b"group g 2 K \xff\xa0\nquorum g\n")
    assert parsed.groups["g"] == Group(2, ("K", "\udcff\udca0"))
    assert len(parsed.witnesses) == 3
    assert vouch(parsed, cosigned("X1", "X3")).satisfied


def test_as_many_as_the_specification_wants():
    signers = [WitnessSigner(f"witness{n}", n.to_bytes(32)) for n in range(1, 33)]
    logs = [NoteSigner(f"log{n}", n.to_bytes(32)) for n in range(101, 133)]
    text = "".join(f"log {log.verifier.vkey} https://log.example/\n" for log in logs)
    for n, signer in enumerate(signers):
        text += f"witness w{n} {signer.verifier.vkey} https://witness.example/\n"
        text += f"group g{n} all w{n}{f' g{n - 1}' if n else ''}\n"
    parsed = policy(text + "quorum g31\n")
    assert parsed.satisfied_by(frozenset(parsed.witnesses))
    assert not parsed.satisfied_by(frozenset(parsed.witnesses) - {"w0"})


X1 = WITNESS_LINES["X1"]
X2 = WITNESS_LINES["X2"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 0),
        (LOG_LINE, 0),
        ("quorum none", 1),
        ("quorum\n", 1),
        ("quorum none none\n", 1),
        ("quorum none\nquorum none\n", 2),
        ("quorum X1\n", 1),
        ("quorum X1\n" + X1, 1),
        ("Quorum none\n", 1),
        ("quorum none # really\n", 1),
        ("quorum\u00a0none\n", 1),
        ("quorum none\r\n", 1),
        ("quorum none\n\0\n", 2),
        ("quorum none\n# \x7f\n", 2),
        ("quorum none\nmirror X1\n", 2),
        ("log\nquorum none\n", 1),
        ("log key\nquorum none\n", 1),
        (f"log {WITNESSES['X1'].verifier.vkey}\nquorum none\n", 1),
        (LOG_LINE.rstrip() + " a b\nquorum none\n", 1),
        (LOG_LINE * 2 + "quorum none\n", 2),
        (LOG_LINE + f"log {NoteSigner('b', LOG.private).verifier.vkey}\nquorum none\n", 2),
        (f"witness {WITNESSES['X1'].verifier.vkey}\nquorum none\n", 1),
        (f"witness X1 {LOG.verifier.vkey}\nquorum none\n", 1),
        (f"witness none {WITNESSES['X1'].verifier.vkey}\nquorum none\n", 1),
        (X1 + X1.replace("X1 ", "X2 ", 1) + "quorum none\n", 2),
        (X1 + X2.replace("X2 ", "X1 ", 1) + "quorum none\n", 2),
        (X1 + "group X1 any X1\nquorum none\n", 2),
        (X1 + "group none any X1\nquorum none\n", 2),
        (X1 + "group g any\nquorum none\n", 2),
        (X1 + "group g X1\nquorum none\n", 2),
        (X1 + "group g 0 X1\nquorum none\n", 2),
        (X1 + "group g 2 X1\nquorum none\n", 2),
        (X1 + "group g 01 X1\nquorum none\n", 2),
        (X1 + "group g +1 X1\nquorum none\n", 2),
        (X1 + "group g \u0661 X1\nquorum none\n", 2),
        (X1 + "group g ALL X1\nquorum none\n", 2),
        (X1 + "group g any none\nquorum none\n", 2),
        (X1 + "group g any X1 X1\nquorum none\n", 2),
        (X1 + "group g any X1\ngroup h any X1\nquorum none\n", 3),
        (X1 + "group g any g\nquorum none\n", 2),
        (X1 + "group g any h\ngroup h any X1\nquorum none\n", 2),
        ("# " + "a" * MAX_POLICY_BYTES + "\nquorum none\n", 0),
    ],
)
def test_a_policy_that_is_wrong_says_where(text, line):
    with pytest.raises(BadPolicy) as caught:
        policy(text)
    assert caught.value.line == line


WORDS = st.sampled_from(
    [
        *("log", "witness", "group", "quorum", "any", "all", "1", "2", "none", "X1", "g", "#", ""),
        *(LOG.verifier.vkey, WITNESSES["X1"].verifier.vkey),
    ]
)


@given(st.lists(st.lists(WORDS, max_size=5).map(" ".join), max_size=6).map("\n".join))
def test_any_lines_are_a_policy_or_a_bad_one(text):
    try:
        parsed = policy(text + "\n")
    except BadPolicy:
        return
    assert parsed.quorum == "none" or parsed.quorum in {**parsed.witnesses, **parsed.groups}


@given(st.binary(max_size=60))
def test_any_bytes_are_no_policy(data):
    with pytest.raises(BadPolicy):
        parse_policy(data)
