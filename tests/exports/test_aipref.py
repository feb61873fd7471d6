"""AIPREF: what is written reads back by the drafts' own algorithm, and says no more."""

import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_client.errors import Malformed, NothingToExport
from consent_client.exports.aipref import header, preference, robots_rule
from consent_client.protocol.statements import Stance, Statement, Use
from tests.exports.conftest import STATEMENTS

REFUSAL = Statement((Stance.NOT_ALLOWED,) * 4)

# RFC 9651 §3.2: a dictionary whose members are tokens, without parameters.
MEMBER = re.compile(r"([a-z*][a-z0-9_.*-]*)=([A-Za-z*][!#$%&'*+.^_`|~:/0-9A-Za-z-]*)")
# draft-ietf-aipref-attach §3, over the `path-pattern` of RFC 9309 §2.2.
RULE = re.compile(r"Content-Usage:[ \t]*(/[^ \t\r\n#]*)[ \t]+([^\r\n#]+)")


def preferences(text):
    """The "Processing Algorithm" of draft-ietf-aipref-vocab, for tokens without parameters."""
    members = [MEMBER.fullmatch(each) for each in text.split(", ")]
    assert all(members), text
    values = {each[1]: each[2] for each in members}
    assert len(values) == len(members)
    return {label: {"y": "allow", "n": "disallow"}[value] for label, value in values.items()}


@given(STATEMENTS)
def test_only_training_of_generative_models_has_a_word(statement):
    stance = statement.stance(Use.AI_GENERATIVE_TRAINING)
    if stance is Stance.UNSAID:
        with pytest.raises(NothingToExport):
            preference(statement)
        with pytest.raises(NothingToExport):
            robots_rule(statement, "/")
        return
    wanted = {Stance.ALLOWED: "allow", Stance.NOT_ALLOWED: "disallow"}[stance]
    assert preferences(preference(statement)) == {"train-ai": wanted}
    assert header(statement) == f"Content-Usage: {preference(statement)}"


def test_the_line_is_the_one_of_the_drafts():
    assert header(REFUSAL) == "Content-Usage: train-ai=n"
    assert robots_rule(REFUSAL, "/") == "Content-Usage: / train-ai=n"


@given(STATEMENTS)
def test_a_parser_of_structured_fields_reads_it(statement):
    http_sfv = pytest.importorskip("http_sfv")
    try:
        text = preference(statement)
    except NothingToExport:
        return
    parsed = http_sfv.Dictionary()
    parsed.parse(text.encode())
    assert {key: str(item.value) for key, item in parsed.items()} == {
        "train-ai": "y" if statement.stance(Use.AI_GENERATIVE_TRAINING) is Stance.ALLOWED else "n"
    }
    assert all(isinstance(item.value, http_sfv.Token) for item in parsed.values())
    assert str(parsed) == text


@given(st.text(st.characters(exclude_categories=["Cs"])).map(lambda path: "/" + path))
def test_a_path_stays_one_path_of_one_rule(path):
    line = robots_rule(REFUSAL, path)
    rule = RULE.fullmatch(line)
    assert rule, line
    assert line.isascii()
    assert unquote(rule[1]) == path
    assert not set("*$") & set(rule[1])  # patterns in RFC 9309
    assert rule[2] == "train-ai=n"


@pytest.mark.parametrize("path", ["", "portrait.jpg", "https://example/a", "/\ud800"])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(Malformed):
        robots_rule(REFUSAL, path)
