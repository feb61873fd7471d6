"""The client agrees with the reference in every committed vector."""

import json
import subprocess
import sys
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent_client import manifest_files
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
    policies,
    receipts,
    records,
    results,
    screening,
    sealing,
    spaces,
    statements,
    tiles,
    tlog_proofs,
    verdicts,
)

VECTORS = Path(__file__).parent.parent / "vectors"


def read(name):
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


def test_the_committed_vectors_are_what_the_reference_makes():
    done = subprocess.run(
        [sys.executable, VECTORS / "make.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_encoding():
    vectors = read("encoding.json")
    for case in vectors["lp"]:
        parts = [bytes.fromhex(part) for part in case["parts"]]
        assert encoding.lp(*parts).hex() == case["bytes"]
        reader = encoding.Reader(bytes.fromhex(case["bytes"]))
        assert [reader.lp() for _ in parts] == parts
        reader.end()
    for case in vectors["bitmap"]:
        bits = np.array(case["bits"], bool)
        assert encoding.pack_bitmap(bits).hex() == case["bytes"]
        read_back = encoding.unpack_bitmap(bytes.fromhex(case["bytes"]), len(bits))
        assert read_back.dtype == np.bool_
        assert (read_back == bits).all()
    for case in vectors["base64"]:
        assert encoding.encode_base64(bytes.fromhex(case["bytes"])) == case["text"]
        assert encoding.decode_base64(case["text"]).hex() == case["bytes"]


@pytest.mark.parametrize(
    "case", read("fingerprints.json")["lists"], ids=lambda case: case["description"]
)
def test_lists_of_fingerprints(case):
    expected = {
        space: tuple(bytes.fromhex(value) for value in values)
        for space, values in case["fingerprints"].items()
    }
    assert fingerprints.encode_list(expected).hex() == case["list"]
    assert fingerprints.decode_list(bytes.fromhex(case["list"])) == expected
    assert fingerprints.image_digest(expected).hex() == case["image_digest"]
    assert fingerprints.list_digest(bytes.fromhex(case["list"])).hex() == case["image_digest"]
    fingerprints.check_fingerprints(expected)


def test_vectors_near_the_edge_of_norm_one_are_accepted():
    for case in read("fingerprints.json")["norms"]:
        space = spaces.space(case["space"])
        (vector,) = fingerprints.decode_floats(bytes.fromhex(case["bytes"]), space)
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-6)


def test_keys():
    vectors = read("keys.json")
    for case in vectors["phrases"]:
        assert keys.seed_of(case["phrase"]).hex() == case["seed"]
    for case in vectors["owners"]:
        owner = keys.derive_owner(bytes.fromhex(case["seed"]), case["origin"], case["i"])
        for name in ("private", "public", "opening", "record_id", "owner_tag"):
            assert getattr(owner, name).hex() == case[name], name
    for case in vectors["signatures"]:
        public, signature, message = (
            bytes.fromhex(case[name]) for name in ("public", "signature", "message")
        )
        keys.verify(public, signature, message)


def test_statements():
    for case in read("statements.json"):
        statement = statements.Statement(
            tuple(statements.Stance(use) for use in case["uses"]),
            statements.Basis(case["basis"]),
            statements.Purpose(case["given_for"]),
            case["valid_until"],
        )
        assert statement.encode().hex() == case["bytes"]
        assert statements.Statement.decode(bytes.fromhex(case["bytes"])) == statement


def test_records():
    case = read("records.json")
    data = {name: bytes.fromhex(case[name]) for name in ("opening", "statement", "list")}
    content = records.RecordContent(
        data["opening"],
        statements.Statement.decode(data["statement"]),
        fingerprints.decode_list(data["list"]),
    )
    encoded = encoding.decode_base64(case["content"])
    assert content.encode() == encoded
    assert records.RecordContent.decode(encoded) == content
    assert records.RecordContent.decode_stored(encoded) == content
    assert content.image_digest.hex() == case["image_digest"]
    assert content.commitment.hex() == case["commitment"]


def test_signed_messages():
    case = read("records.json")
    origin, committed = case["origin"], bytes.fromhex(case["commitment"])
    record_id, nonce = bytes.fromhex(case["record_id"]), bytes.fromhex(case["nonce"])
    messages = {
        "register": records.register_message(origin, record_id, committed),
        "withdraw": records.withdraw_message(origin, committed),
        "read": records.read_message(origin, record_id, nonce),
    }
    owner = keys.OwnerKey(bytes.fromhex(case["owner_private_key"]), b"", b"")
    for verb, message in messages.items():
        assert message.hex() == case["messages"][verb]["bytes"]
        assert owner.sign(message).hex() == case["messages"][verb]["signature"]


def test_a_registration():
    case = read("records.json")
    request = records.RegistrationRequest.from_json(case["registration"])
    assert request.to_json() == case["registration"]
    message = records.register_message(case["origin"], request.record_id, request.commitment)
    keys.verify(request.owner_public_key, request.signature, message)


@pytest.mark.parametrize("sample", read("sealing.json")["samples"], ids=lambda s: s["description"])
def test_sealed_samples_open(sample):
    case = read("sealing.json")
    suite = sealing.Suite(sample["suite"])
    secret = sealing.SealingSecret.from_private_bytes(suite, bytes.fromhex(sample["private_key"]))
    assert secret.public_bytes == encoding.decode_base64(sample["public_key"])
    assert secret.key_id.hex() == sample["key_id"]
    opened = sealing.open_sealed(
        encoding.decode_base64(sample["sealed"]),
        secret,
        secret.key_id,
        case["origin"],
        bytes.fromhex(case["record_id"]),
        bytes.fromhex(case["owner_public_key"]),
    )
    assert opened == encoding.decode_base64(case["plaintext"])


def test_sealing_keys_note():
    case = read("sealing.json")
    verifier = notes.NoteVerifier.parse(case["note"]["verifier_key"])
    listed = sealing.decode_sealing_keys(case["note"]["note"], case["origin"], verifier)
    expected = {
        sealing.SealingKey(
            sealing.Suite(key["suite"]),
            encoding.decode_base64(key["public_key"]),
            key["issue_day"],
            key["expiry_day"],
        )
        for key in case["note"]["keys"]
    }
    assert set(listed) == expected
    signer = notes.NoteSigner(
        read("notes.json")["signer_name"], bytes.fromhex(read("notes.json")["signer_private_key"])
    )
    again = sealing.encode_sealing_keys(case["origin"], expected, signer)
    assert again == case["note"]["note"]


def test_notes():
    vectors = read("notes.json")
    signer = notes.NoteSigner(vectors["signer_name"], bytes.fromhex(vectors["signer_private_key"]))
    assert signer.verifier.vkey == vectors["verifier_key"]
    for case in vectors["notes"]:
        assert notes.verify_note(case["note"], signer.verifier) == case["text"]
        assert case["note"].startswith(notes.sign_note(case["text"], signer))


def test_verdicts():
    for case in read("verdicts.json"):
        stances = [statements.Stance(stance) for stance in case["stances"]]
        assert verdicts.combine(stances, case["missing"]) == case["verdict"]


def test_a_block():
    case = read("screening.json")
    columns = []
    for item in case["columns"]:
        column = screening.Column.decode(
            item["space"],
            case["count"],
            encoding.decode_base64(item["present"]),
            encoding.decode_base64(item["fingerprints"]),
            None if item["counts"] is None else encoding.decode_base64(item["counts"]),
        )
        counts = 1 if item["counts"] is None else list(encoding.decode_base64(item["counts"]))
        assert column.rows.tolist() == np.repeat(np.flatnonzero(item["bits"]), counts).tolist()
        assert encoding.encode_base64(column.bitmap) == item["present"]
        columns.append(column)
    for order in (columns, columns[::-1]):
        assert sha256(screening.block_content(order)).hexdigest() == case["block_digest"]


def test_log_entries():
    vectors = read("log.json")
    for case in vectors["entries"]:
        entry = log.decode_entry(bytes.fromhex(case["bytes"]))
        assert entry.type == case["type"]
        assert entry.encode().hex() == case["bytes"]
        for name, value in case["fields"].items():
            found = getattr(entry, name)
            assert (found.hex() if isinstance(found, bytes) else found) == value
    entries = [bytes.fromhex(case["bytes"]) for case in vectors["entries"]]
    assert log.encode_bundle(entries).hex() == vectors["bundle"]
    assert list(log.decode_bundle(bytes.fromhex(vectors["bundle"]))) == entries


def test_tiles():
    vectors = read("tiles.json")
    for case in vectors["paths"]:
        place = (case["index"], case["width"])
        if case["level"] == "entries":
            named = tiles.Bundle(*place)
            assert tiles.bundle_path(*place) == case["path"]
        else:
            named = tiles.Tile(case["level"], *place)
            assert tiles.tile_path(case["level"], *place) == case["path"]
        assert tiles.parse_path(case["path"]) == named
    for case in vectors["growths"]:
        grown = [tile.path for tile in tiles.new_tiles(case["old"], case["new"])]
        assert grown == case["tiles"], (case["old"], case["new"])


def test_the_contents_of_tiles():
    case = read("tiles.json")["contents"]
    entries = [b"entry %d" % index for index in range(case["size"])]
    tree = merkle.Tree(map(merkle.leaf_hash, entries))
    assert tree.root().hex() == case["root"]
    written = {
        tile.path: tiles.tile_bytes(tree.node, tile) for tile in tiles.new_tiles(0, len(entries))
    }
    assert {path: sha256(data).hexdigest() for path, data in written.items()} == (
        case["tiles_sha256"]
    )
    bundles = {
        bundle.path: log.encode_bundle(entries[bundle.index * 256 :][: bundle.width])
        for bundle in tiles.new_bundles(0, len(entries))
    }
    assert {path: sha256(data).hexdigest() for path, data in bundles.items()} == (
        case["bundles_sha256"]
    )
    nodes = tiles.tile_nodes(lambda *place: written[tiles.tile_path(*place)], len(entries))
    assert merkle.root_at(nodes, len(entries)).hex() == case["root"]


def test_checkpoints():
    vectors = read("checkpoints.json")
    signer = notes.NoteSigner(vectors["origin"], bytes.fromhex(vectors["log_private_key"]))
    assert signer.verifier.vkey == vectors["log"]
    for case in vectors["checkpoints"]:
        checkpoint = checkpoints.Checkpoint(
            vectors["origin"], case["size"], bytes.fromhex(case["root"]), tuple(case["extensions"])
        )
        assert checkpoint.encode() == case["text"]
        assert checkpoints.Checkpoint.parse(case["text"]) == checkpoint
        assert checkpoints.sign_checkpoint(checkpoint, signer) == case["note"]
        assert checkpoints.open_checkpoint(case["note"], signer.verifier) == checkpoint


def witnesses(vectors):
    return {
        name: cosignatures.WitnessSigner(witness["name"], bytes.fromhex(witness["private_key"]))
        for name, witness in vectors["witnesses"].items()
    }


def test_cosignatures():
    vectors = read("checkpoints.json")
    signers = witnesses(vectors)
    for name, witness in vectors["witnesses"].items():
        assert signers[name].verifier.vkey == witness["vkey"]
        assert cosignatures.WitnessVerifier.parse(witness["vkey"]) == signers[name].verifier
    for case in vectors["cosigned"]:
        said = {each["witness"]: each["time"] for each in case["cosignatures"]}
        note = vectors["checkpoints"][1]["note"]
        text, _ = notes.split_note(note)
        for name, time in said.items():
            note = notes.add_signature(note, cosignatures.cosign(text, signers[name], time))
        assert note == case["note"]
        found = cosignatures.verify_cosignatures(note, [each.verifier for each in signers.values()])
        assert {each.witness.name: each.time for each in found} == {
            signers[name].name: time for name, time in said.items()
        }


@pytest.mark.parametrize("case", read("policies.json"), ids=lambda case: case["description"])
def test_policies(case):
    vectors = read("checkpoints.json")
    signers = witnesses(vectors)
    policy = policies.parse_policy(case["policy"].encode())
    note = vectors["checkpoints"][1]["note"]
    text, _ = notes.split_note(note)
    for expected in case["cases"]:
        cosigned = note
        for name in expected["cosigned"]:
            cosigned = notes.add_signature(cosigned, cosignatures.cosign(text, signers[name], 1))
        vouched = policies.vouch(policy, cosigned)
        assert vouched.satisfied == expected["satisfied"]
        assert vouched.standing.value == expected["standing"]
        assert [each.witness for each in vouched.cosignatures] == [
            signers[name].verifier for name in expected["known"]
        ]


@pytest.mark.parametrize("case", read("tlog-proofs.json"), ids=lambda case: case["description"])
def test_tlog_proofs(case):
    verifier = notes.NoteVerifier.parse(read("checkpoints.json")["log"])
    proof = tlog_proofs.TlogProof.parse(case["proof"])
    assert proof.encode() == case["proof"]
    assert (proof.index, proof.extra.hex()) == (case["index"], case["extra"])
    assert [value.hex() for value in proof.hashes] == case["hashes"]
    opened = checkpoints.open_checkpoint(proof.checkpoint, verifier)
    assert opened.size == case["size"]
    proof.verify(merkle.leaf_hash(bytes.fromhex(case["entry"])), opened)


def test_receipts():
    vectors = read("receipts.json")
    policy = policies.parse_policy(vectors["policy"].encode())
    for case in vectors["receipts"]:
        receipt = receipts.Receipt.parse(case["receipt"])
        assert receipt.encode() == case["receipt"]
        assert receipt.opening.hex() == vectors["opening"]
        assert receipt.statement.encode().hex() == vectors["statement"]
        assert receipt.image_digest.hex() == vectors["image_digest"]
        assert receipt.owner_public_key.hex() == vectors["owner_public_key"]
        assert receipt.register.encode().hex() == vectors["register_entry"]
        vouched = receipts.verify_receipt(receipt, policy)
        assert vouched.standing.value == case["standing"]
        assert len(vouched.cosignatures) == len(case["witnesses"])


def test_manifests(tmp_path):
    case = read("manifests.json")
    rows = [bytes.fromhex(row) for row in case["rows"]]
    root, count = manifests.root_of_rows(rows)
    assert (root.hex(), count) == (case["root"], len(rows))
    assert (
        manifests.commitment(bytes.fromhex(case["salt"]), root, count).hex() == (case["commitment"])
    )
    path = tmp_path / "manifest"
    manifest_files.write_manifest(path, rows)
    assert path.read_bytes().hex() == case["file"]


def test_blocks_of_a_manifest():
    case = read("manifests.json")["many"]
    count = case["count"]
    rows = [
        manifests.row((i + 1).to_bytes(32), sha256(str(i).encode()).digest()) for i in range(count)
    ]
    blocks = list(manifests.in_blocks(rows))
    paths = manifests.BlockPaths(count, map(manifests.block_root, blocks))
    assert paths.root.hex() == case["root"]
    assert [manifests.block_root(block).hex() for block in blocks] == case["block_roots"]
    for number, expected in enumerate(case["paths"]):
        path = paths.path(number)
        assert [value.hex() for value in path] == expected
        manifests.verify_block(blocks[number], number, count, path, paths.root)


def test_results():
    case = read("results.json")
    secret = bytes.fromhex(case["secret"])
    rows = [bytes.fromhex(row) for row in case["rows"]]
    leaves = [
        results.result_leaf(
            results.row_salt(secret, i), i, rows[i], each["log_size"], each["verdict"]
        )
        for i, each in enumerate(case["answers"])
    ]
    assert [leaf.hex() for leaf in leaves] == [each["leaf"] for each in case["answers"]]
    assert (
        merkle.root_of([merkle.leaf_hash(leaf) for leaf in leaves]).hex() == (case["results_root"])
    )
    close = log.Close(1, case["least_log_size"], bytes.fromhex(case["results_root"]))
    found = results.verify_evidence(
        BytesIO(bytes.fromhex(case["evidence"])),
        [bytes.fromhex(row) for row in case["shipped"]],
        len(rows),
        close,
        case["close_index"],
    )
    assert found.shipped_root.hex() == case["shipped_root"]
    assert {verdict.name: n for verdict, n in found.verdicts.items()} == case["verdicts"]


def test_certificates():
    case = read("certificates.json")
    data = case["certificate"].encode()
    certificate = certificates.verify_certificate(data, bytes.fromhex(case["builder"]))
    assert json.loads(certificate.payload()) == case["statement"]
    assert certificate.terms == case["terms"]
    assert encoding.encode_base64(certificates.pae(certificate.payload())) == case["pae"]
    assert certificates.certify_digest(data).hex() == case["digest"]
    private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(case["builder_private_key"]))
    assert certificates.sign_certificate(certificate, private) == data
