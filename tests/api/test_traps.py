"""The library traps that are known, each held shut; see also `test_requests.py`."""

import json

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from registry.api import limits
from registry.api.schema import SCHEMA
from registry.store.engine import open_store

OPEN = """mutation($input: OpenScreeningInput!) { openScreening(input: $input) { __typename
  ... on Problem { code } } }"""


def post(server, body, token=None):
    headers = {"content-type": "application/json"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    return httpx.post(f"{server.url}/graphql", content=json.dumps(body), headers=headers)


@pytest.mark.parametrize("name", ["\ud800", 7, [1], {"a": 1}, "", "a b", "x" * 101, "é", "A\n"])
def test_an_operation_name_that_is_none_is_refused_and_not_repeated(server, name):
    answer = post(server, {"query": "{ registry { origin } }", "operationName": name})
    assert answer.status_code == httpx.codes.BAD_REQUEST
    assert answer.text == "The operation's name is not one."


@pytest.mark.parametrize(
    "member", [{"variables": "x"}, {"variables": [1]}, {"extensions": 7}, {"query": ["x"]}]
)
def test_members_of_the_wrong_kind_are_refused(server, member):
    answer = post(server, {"query": "{ registry { origin } }"} | member)
    assert answer.status_code == httpx.codes.BAD_REQUEST


@pytest.mark.parametrize("name", ["\ud800", "a\x00b", "\x1b[2J", "\n", "", "   ", "x" * 201])
def test_a_data_sets_name_that_is_no_text_is_invalid_on_any_database(server, token, name):
    screening = {"dataset": name, "use": "AI_TRAINING", "requiredSpaces": [], "candidateCount": 1}
    answer = post(server, {"query": OPEN, "variables": {"input": screening}}, token).json()
    assert answer["data"]["openScreening"]["code"] == "INVALID_INPUT"


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-1", "1.5", '"1"', "true", "1e400", "9007199254740992", "null"]
)
def test_numbers_that_are_no_log_index_are_refused(server, number):
    query = "query($start: LogIndex!) { entries(start: $start, count: 1) { __typename } }"
    body = f'{{"query": {json.dumps(query)}, "variables": {{"start": {number}}}}}'
    answer = httpx.post(
        f"{server.url}/graphql", content=body, headers={"content-type": "application/json"}
    ).json()
    assert answer["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


def test_deep_variables_and_endless_numbers_are_answered(server):
    query = json.dumps("query($id: Base64!) { challenge(recordId: $id) { __typename } }")
    for value in ("[" * 900 + "]" * 900, '{"a":' * 900 + "1" + "}" * 900, "1" + "0" * 5_000):
        answer = httpx.post(
            f"{server.url}/graphql",
            content=f'{{"query": {query}, "variables": {{"id": {value}}}}}',
            headers={"content-type": "application/json"},
        )
        assert answer.status_code < 500


def test_the_caches_hit_because_their_rules_are_made_once():
    """A cache keyed by rules that are made for each request would never hit."""
    made = [extension() for extension in limits.EXTENSIONS if not isinstance(extension, type)]
    again = [extension() for extension in limits.EXTENSIONS if not isinstance(extension, type)]
    rules = [m.validation_rules for m in made if hasattr(m, "validation_rules")]
    assert rules
    assert rules == [m.validation_rules for m in again if hasattr(m, "validation_rules")]


def test_the_alias_limit_counts_inside_fragments_and_inline_ones(server):
    aliases = " ".join(f"a{i}: origin" for i in range(limits.MAX_ALIASES + 1))
    for query in (
        f"{{ registry {{ ...F }} }} fragment F on Registry {{ {aliases} }}",
        f"{{ registry {{ ... on Registry {{ {aliases} }} }} }}",
    ):
        answer = post(server, {"query": query}).json()
        assert answer["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


def test_too_many_tokens_are_refused(server):
    query = "{ registry { " + "origin " * (limits.MAX_TOKENS + 1) + "} }"
    answer = post(server, {"query": query}).json()
    assert answer["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


def test_every_failure_of_a_field_is_a_problem_with_code_and_message():
    schema = SCHEMA._schema
    unions = [t for n, t in schema.type_map.items() if n.endswith("Result")]
    assert len(unions) >= 12
    for union in unions:
        success, *failures = union.types
        assert "Problem" not in {i.name for i in success.interfaces}
        assert failures
        assert all("Problem" in {i.name for i in failure.interfaces} for failure in failures)


def test_every_input_hides_what_was_sent_from_repr():
    for name, kind in SCHEMA._schema.type_map.items():
        if name in {"RegisterInput", "WithdrawInput", "ReadRecordInput", "ColumnInput"}:
            cls = kind.extensions["strawberry-definition"].origin
            fields = dict.fromkeys(f.python_name for f in cls.__strawberry_definition__.fields)
            assert "secret" not in repr(cls(**dict.fromkeys(fields, "secret")))


async def test_databases_are_opened_with_their_parameters_hidden(store_url):
    store = open_store(store_url)
    engines = [value for value in vars(store).values() if isinstance(value, AsyncEngine)]
    assert len(engines) >= 2  # for readers and for writers
    assert all(engine.sync_engine.hide_parameters for engine in engines)
    await store.dispose()
