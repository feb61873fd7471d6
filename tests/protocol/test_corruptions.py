"""Every named corruption gives exactly its typed error."""

import json
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from consent_client import manifest_files
from consent_client.errors import ProtocolError
from consent_client.protocol import (
    certificates,
    checkpoints,
    cosignatures,
    encoding,
    fingerprints,
    keys,
    log,
    manifests,
    merkle,
    notes,
    origins,
    policies,
    receipts,
    records,
    results,
    screening,
    sealing,
    statements,
    tiles,
    tlog_proofs,
)
from consent_client.protocol.spaces import Kind

VECTORS = Path(__file__).parent.parent / "vectors"


def read(name):
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


def parse_list(value):
    fingerprints.check_fingerprints(fingerprints.decode_list(bytes.fromhex(value)))


def parse_sealed(value):
    secret = sealing.SealingSecret.from_private_bytes(
        sealing.Suite(value["suite"]), bytes.fromhex(value["private_key"])
    )
    sealing.open_sealed(
        encoding.decode_base64(value["sealed"]),
        secret,
        bytes.fromhex(value["key_id"]),
        value["origin"],
        bytes.fromhex(value["record_id"]),
        bytes.fromhex(value["owner_public_key"]),
    )


def parse_sealing_keys(value):
    expected = read("sealing.json")
    verifier = notes.NoteVerifier.parse(expected["note"]["verifier_key"])
    sealing.decode_sealing_keys(value, expected["origin"], verifier)


def parse_signed_note(value):
    notes.verify_note(value, notes.NoteVerifier.parse(read("notes.json")["verifier_key"]))


def parse_signature(value):
    keys.verify(*(bytes.fromhex(value[name]) for name in ("public", "signature", "message")))


def parse_withdrawal(value):
    withdraw = log.decode_entry(bytes.fromhex(value["withdraw"]))
    register = log.decode_entry(bytes.fromhex(value["register"]))
    log.check_withdrawal(value["origin"], withdraw, register)


def parse_column(value):
    column = screening.Column.decode(
        value["space"],
        value["count"],
        encoding.decode_base64(value["present"]),
        encoding.decode_base64(value["fingerprints"]),
        None if value["counts"] is None else encoding.decode_base64(value["counts"]),
    )
    assert column.space.kind is Kind.FLOAT
    column.floats()


def parse_checkpoint(value):
    verifier = notes.NoteVerifier.parse(read("checkpoints.json")["log"])
    checkpoints.open_checkpoint(value, verifier)


def parse_cosignature(value):
    vkey = read("checkpoints.json")["witnesses"]["X1"]["vkey"]
    cosignatures.verify_cosignature(value, cosignatures.WitnessVerifier.parse(vkey))


def parse_tlog_proof(value):
    proof = tlog_proofs.TlogProof.parse(value)
    verifier = notes.NoteVerifier.parse(read("checkpoints.json")["log"])
    entry = bytes.fromhex(read("receipts.json")["register_entry"])
    opened = checkpoints.open_checkpoint(proof.checkpoint, verifier)
    proof.verify(merkle.leaf_hash(entry), opened)


def parse_receipt(value):
    policy = policies.parse_policy(read("receipts.json")["policy"].encode())
    receipts.verify_receipt(receipts.Receipt.parse(value), policy)


def parse_manifest_file(value):
    with TemporaryDirectory() as folder:
        path = Path(folder) / "manifest"
        path.write_bytes(bytes.fromhex(value))
        list(manifest_files.open_manifest(path).rows())


def parse_manifest_block(value):
    manifests.verify_block(
        bytes.fromhex(value["block"]),
        value["number"],
        value["count"],
        [bytes.fromhex(each) for each in value["path"]],
        bytes.fromhex(value["root"]),
    )


def parse_evidence(value):
    close = log.Close(1, value["least_log_size"], bytes.fromhex(value["results_root"]))
    results.verify_evidence(
        BytesIO(bytes.fromhex(value["evidence"])),
        [bytes.fromhex(row) for row in value["shipped"]],
        value["count"],
        close,
        value["close_index"],
    )


PARSERS = {
    "fingerprint-list": parse_list,
    "statement": lambda value: statements.Statement.decode(bytes.fromhex(value)),
    "record-content": lambda value: records.RecordContent.decode(bytes.fromhex(value)),
    "sealed-blob": parse_sealed,
    "sealing-keys-note": parse_sealing_keys,
    "signed-note": parse_signed_note,
    "verifier-key": notes.NoteVerifier.parse,
    "owner-key": parse_signature,
    "signature": parse_signature,
    "log-entry": lambda value: log.decode_entry(bytes.fromhex(value)),
    "entry-bundle": lambda value: log.decode_bundle(bytes.fromhex(value)),
    "withdrawal": parse_withdrawal,
    "column": parse_column,
    "bitmap": lambda value: encoding.unpack_bitmap(bytes.fromhex(value["bytes"]), value["count"]),
    "base64": encoding.decode_base64,
    "origin": origins.check_origin,
    "phrase": keys.seed_of,
    "tile-path": tiles.parse_path,
    "tile": lambda value: tiles.decode_tile(bytes.fromhex(value["bytes"]), value["width"]),
    "sized-bundle": lambda value: tiles.read_bundle(bytes.fromhex(value["bytes"]), value["width"]),
    "checkpoint": parse_checkpoint,
    "cosignature": parse_cosignature,
    "policy": lambda value: policies.parse_policy(value.encode()),
    "tlog-proof": parse_tlog_proof,
    "receipt": parse_receipt,
    "manifest": lambda value: manifests.root_of_rows(map(bytes.fromhex, value)),
    "manifest-file": parse_manifest_file,
    "manifest-block": parse_manifest_block,
    "evidence": parse_evidence,
    "certificate": lambda value: certificates.verify_certificate(value.encode()),
    "registration": records.RegistrationRequest.from_json,
}

CASES = sorted(path for name in PARSERS for path in (VECTORS / "corruptions" / name).glob("*.json"))


def test_every_format_has_corruptions():
    assert {path.parent.name for path in CASES} == set(PARSERS)


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_corruption_gives_its_typed_error(path):
    case = json.loads(path.read_text(encoding="utf-8"))
    assert case["format"] == path.parent.name
    with pytest.raises(ProtocolError) as caught:
        PARSERS[case["format"]](case["input"])
    assert caught.value.code == case["error"], case["description"]


@pytest.mark.parametrize(
    "path",
    [p for p in CASES if p.parent.name == "owner-key" and p.stem.startswith("small-order")],
    ids=lambda path: path.stem,
)
def test_openssl_takes_forgeries_under_small_order_keys(path):
    """Why the keys are refused: nobody holds a private key, and yet the signature verifies."""
    case = json.loads(path.read_text(encoding="utf-8"))["input"]
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(case["public"]))
    key.verify(bytes.fromhex(case["signature"]), bytes.fromhex(case["message"]))
