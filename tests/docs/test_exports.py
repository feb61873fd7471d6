"""docs/exports.md shows what the code makes.

python tests/docs/test_exports.py     writes the examples anew
"""

import json
import re
from pathlib import Path

import pytest

from consent_client.exports import aipref, cawg
from consent_client.exports.consent_receipt import Registered, consent_receipt
from consent_client.exports.croissant import fragment
from consent_client.protocol.certificates import sign_certificate
from consent_client.protocol.statements import Stance, Statement
from tests.protocol.test_certificates import CERTIFICATE, KEY

PAGE = Path(__file__).parents[2] / "docs" / "exports.md"
REFUSAL = Statement((Stance.NOT_ALLOWED,) * 4)
RECORD = Registered("registry.example/2026", 12, REFUSAL)


def text_of(value: object) -> str:
    return json.dumps(value, indent=1)


EXAMPLES = {
    "header": aipref.header(REFUSAL),
    "robots": aipref.robots_rule(REFUSAL, "/portrait.jpg"),
    "cawg": text_of(cawg.assertion(REFUSAL)),
    "receipt": text_of(consent_receipt(RECORD, 20_758)),
    "croissant": text_of(fragment(sign_certificate(CERTIFICATE, KEY), "certificate.json")),
}
BLOCK = re.compile(r"(<!-- example (\w+) -->\n```\w*\n)(.*?)(```)", re.DOTALL)


def written(text: str) -> str:
    return BLOCK.sub(lambda found: f"{found[1]}{EXAMPLES[found[2]]}\n{found[4]}", text)


def test_every_form_has_its_example() -> None:
    assert [found[2] for found in BLOCK.finditer(PAGE.read_text())] == list(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_what_the_code_makes(name: str) -> None:
    shown = {found[2]: found[3] for found in BLOCK.finditer(PAGE.read_text())}
    assert shown[name] == EXAMPLES[name] + "\n"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
