"""CAWG: valid by its schema, and nothing lost or added."""

import json

import jsonschema_rs
import pytest
from hypothesis import given

from consent_client.exports.cawg import assertion
from consent_client.protocol.statements import Stance, Statement, Use
from tests.exports.conftest import DATA, STATEMENTS

SCHEMA = json.loads((DATA / "cawg-training-mining-1.1.schema.json").read_text())
VALIDATOR = jsonschema_rs.validator_for(SCHEMA)


@given(STATEMENTS)
def test_every_statement_is_valid_and_reads_back(statement):
    value = json.loads(json.dumps(assertion(statement)))
    VALIDATOR.validate(value)
    read = {
        Use.from_cawg(label.removeprefix("cawg.")): Stance.from_text(entry["use"])
        for label, entry in value["data"]["entries"].items()
    }
    assert Statement.of(read).stances == statement.stances


@pytest.mark.parametrize(
    "spoil",
    [
        lambda value: value.update(label="c2pa.training-mining"),
        lambda value: value["data"].update(entries={}),
        lambda value: value["data"]["entries"].update({"cawg.training": {"use": "notAllowed"}}),
        lambda value: value["data"]["entries"]["cawg.ai_training"].update(use="unsaid"),
        lambda value: value["data"]["entries"].update({"cawg.ai_training": "notAllowed"}),
    ],
)
def test_the_schema_refuses_what_is_none(spoil):
    value = assertion(Statement((Stance.NOT_ALLOWED,) * 4))
    spoil(value)
    assert not VALIDATOR.is_valid(value)
