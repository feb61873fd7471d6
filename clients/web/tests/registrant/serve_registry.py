# ruff: noqa: INP001 - a script that the tests of the pages run
"""A real registry for the tests of the pages, with a Python client beside it.

Prints the registry's address, then answers each line of JSON on standard input with one: what is
asked is named by `verb`. It ends with its input. Arguments are settings of the server, as
`CONSENT_REGISTRY_PROOF_OF_WORK_DIGITS=3`.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[4]))

from PIL import Image

from consent_client.builder import Builder
from consent_client.protocol.certificates import verify_certificate
from consent_client.protocol.manifests import MIN_CERTIFIED_ROWS
from consent_client.protocol.receipts import Receipt
from consent_client.protocol.statements import Statement, Use
from consent_client.registrant import Registrant
from consent_client.saved_records import SavedRecord
from consent_client.withdrawals import SignedWithdrawal
from tests.support.serving import Server, serving


class Beside:
    """What the Python client says of what the pages' did."""

    def __init__(self, server: Server, folder: Path) -> None:
        self._server = server
        self._folder = folder
        self._token = server.add_builder("A builder")
        self._people = 0

    @contextmanager
    def _person(self, phrase: str) -> Iterator[Registrant]:
        self._people += 1
        with Registrant(self._server.url, state=self._folder / f"person-{self._people}") as person:
            person.state.create_phrase(phrase)
            yield person

    def screen(self, fingerprints: dict[str, list[str]]) -> str:
        """The verdict on a candidate for training."""
        made = {name: (bytes.fromhex(values[0]),) for name, values in fingerprints.items()}
        with Builder(self._server.url, token=self._token) as builder:
            (answer,) = builder.screen(
                [("it", made)],
                dataset="test",
                use=Use.AI_TRAINING,
                required_spaces=tuple(made),
            )
        return answer.verdict.name

    def certify(self, folder: str, fingerprinted: str) -> int:
        """Screens a thousand small pictures and a photograph with the command, and certifies them.

        Returns how many were shipped.
        """
        pictures, out = Path(folder) / "pictures", Path(folder) / "screened"
        pictures.mkdir()
        for number in range(MIN_CERTIFIED_ROWS):
            colour = (number % 256, number // 256 * 40, 91)
            Image.new("RGB", (9, 9), colour).save(pictures / f"{number:04}.png")
        shutil.copy(fingerprinted, pictures)
        subprocess.run(
            [
                *(sys.executable, "-c", "from consent_client.cli import main; main()"),
                *("screen", pictures, "--dataset", "my set", "--use", "ai_training", "--out", out),
                *("--spaces", "sha256", "--require", "sha256"),
                *("--certify", "--signing-key", Path(folder) / "key"),
            ],
            env=os.environ
            | {
                "CONSENT_REGISTRY": self._server.url,
                "CONSENT_TOKEN": self._token,
                "CONSENT_STATE": str(self._folder / "builder"),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
        )
        return verify_certificate((out / "certificate.json").read_bytes()).shipped_count

    def erase(self, index: int) -> None:
        """The operator takes a record out."""
        self._server.command("erase", str(index), "--reason", "TECHNICAL")

    def recover(self, phrase: str) -> list[dict[str, object]]:
        """What the Python client finds for a phrase."""
        with self._person(phrase) as person:
            return [
                {"index": each.index, "commitment": each.commitment.hex(), "status": each.status}
                for each in person.recover()
            ]

    def withdraw(self, phrase: str, index: int) -> None:
        """The same person withdraws a record with the Python client."""
        with self._person(phrase) as person:
            person.withdraw(person.recover()[index])

    def protect(self, phrase: str, fingerprints: dict[str, list[str]], statement: str) -> int:
        """The same person registers something with the Python client, which gives its number."""
        made = {name: tuple(map(bytes.fromhex, values)) for name, values in fingerprints.items()}
        with self._person(phrase) as person:
            return person.protect(made, Statement.decode(bytes.fromhex(statement))).index

    def read(self, record: str, receipt: str, withdrawal: str) -> bool:
        """Whether the Python client reads what is kept, and the same comes out again."""
        saved = SavedRecord.from_json(record.encode(), "record")
        return (
            json.loads(saved.to_json()) == json.loads(record)
            and Receipt.parse(receipt).encode() == receipt
            and SignedWithdrawal.from_text(withdrawal).to_text() == withdrawal
        )


def tell(value: object) -> None:
    """One line of JSON."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Serve until the input ends."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with serving(folder, **dict(each.split("=", 1) for each in sys.argv[1:])) as server:
            beside = Beside(server, folder)
            tell(server.url)
            for line in sys.stdin:
                asked: dict[str, Any] = json.loads(line)
                tell(getattr(beside, asked.pop("verb"))(**asked))


if __name__ == "__main__":
    main()
