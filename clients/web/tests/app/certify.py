# ruff: noqa: INP001 - a script that the tests of the pages run
"""A certified data set with all that belongs to it, as JSON.

Its session is opened after as many DAY entries as the first argument says.
"""

import base64
import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[4]))

from consent_client.protocol.certificates import certify_digest
from consent_client.protocol.log import Certify, Day
from consent_client.protocol.merkle import Tree, inclusion_proof, leaf_hash
from consent_client.protocol.tlog_proofs import TlogProof
from tests.support.certifying import Certified
from tests.support.published import SIGNER, Published


def made(at: int, folder: Path) -> dict[str, object]:
    """What the tests need; files in base64, entries and digests in hex."""
    certified = Certified(at)
    path = certified.write(folder)
    another = certified.certificate(tool=("tests", "2"))
    log = [Day(day).encode() for day in range(at)] + certified.entries()
    tree = Tree(leaf_hash(entry) for entry in log)
    place = len(log) - 1
    proof = TlogProof(
        place,
        inclusion_proof(tree.node, place, len(log)),
        Published(folder).sign(len(log), tree.root()),
    )
    digests = sorted(certified.digest(number) for number in range(certified.count))
    return {
        "certificate": base64.b64encode(path.read_bytes()).decode(),
        "another": base64.b64encode(another).decode(),
        "manifest": base64.b64encode((folder / "shipped.manifest").read_bytes()).decode(),
        "evidence": base64.b64encode((folder / "evidence").read_bytes()).decode(),
        "proof": proof.encode(),
        "entries": [entry.hex() for entry in certified.entries()],
        "superseding": Certify(at, certify_digest(another)).encode().hex(),
        "image": digests[1].hex(),
        "excluded": digests[0].hex(),
        "key": SIGNER.verifier.vkey,
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        json.dump(made(int(sys.argv[1]), Path(name)), sys.stdout)
