"""Commands that the documents show exist, with the options that they show."""

import re
import shlex
from pathlib import Path

import pytest
from typer import Typer
from typer.main import get_command

from consent_client.cli import main as consent
from registry.cli import main as consent_registry

ROOT = Path(__file__).parents[2]
PROGRAMS = {
    "consent": get_command(consent) if isinstance(consent, Typer) else consent,
    "consent-registry": get_command(consent_registry),
}
# In code blocks and in code spans; a backslash at the end of a line goes on.
COMMAND = re.compile(r"(?:^|`|&& |bin/)((?:consent|consent-registry) [a-z-][^`\n#]*)", re.MULTILINE)


def commands() -> list[str]:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "clients/python/README.md"]
    found = set()
    for page in pages:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        found |= {" ".join(command.split()) for command in COMMAND.findall(text)}
    return sorted(found)


@pytest.mark.parametrize("text", commands())
def test_a_command_in_the_documents_exists(text: str) -> None:
    program, *words = shlex.split(re.sub(r"[<>|…].*", "", text))
    command = PROGRAMS[program]
    known = {"--help"}
    for word in words:
        known |= {name for each in command.params for name in each.opts}
        if word.startswith("-"):
            assert word.partition("=")[0] in known
        else:
            command = getattr(command, "commands", {}).get(word, command)


def test_the_documents_show_every_command_of_the_operator() -> None:
    shown = " ".join(commands())
    for name, command in PROGRAMS["consent-registry"].commands.items():
        for sub in getattr(command, "commands", [""]):
            assert f"consent-registry {name} {sub}".strip() in shown
