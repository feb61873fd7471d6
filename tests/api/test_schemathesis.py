"""What schemathesis makes of the schema, sent to a real server: no five-hundred, no surprise.

Introspected from the server itself; the examples are the same each time.
"""

import base64

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.graphql import nodes

from registry.api.schema import SCHEMA

# Per field of Query and Mutation; the fields are nine.
EXAMPLES = 25

# Answers to requests of the right shape. INTERNAL is never among them.
CODES = {"BAD_REQUEST", "UNAUTHENTICATED", "RATE_LIMITED", "HELD", "UNAVAILABLE"}

bounded = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


# Base64 of every length that matters somewhere, and what is none.
schemathesis.graphql.scalar(
    "Base64",
    st.one_of(
        st.sampled_from([0, 1, 8, 16, 20, 32, 64, 1024, 8_240, 9_328]).map(bytes),
        st.binary(max_size=64),
    )
    .map(lambda data: base64.b64encode(data).decode())
    .map(nodes.String)
    | st.text(max_size=20).map(nodes.String),
)
schemathesis.graphql.scalar(
    "LogIndex", st.integers(-1, 2**53).map(nodes.Int) | st.integers().map(nodes.Int)
)


@pytest.fixture(scope="session")
def operations(server):
    schema = schemathesis.graphql.from_url(f"{server.url}/graphql")
    return {result.ok().label: result.ok() for result in schema.get_all_operations()}


FIELDS = [
    f"{kind.name}.{field}"
    for kind in (SCHEMA._schema.query_type, SCHEMA._schema.mutation_type)
    for field in kind.fields
]


def check(server, case, headers):
    answer = case.call(headers=headers)
    assert answer.status_code < 500, answer.text
    if answer.status_code == httpx.codes.OK:
        body = answer.json()
        for error in body.get("errors", []):
            assert error["extensions"]["code"] in CODES, error
        assert body.get("errors") or body["data"] is not None
    assert server.process.poll() is None


@pytest.mark.parametrize("sender", ["anybody", "a builder"])
@pytest.mark.parametrize("field", FIELDS)
def test_anything_may_be_sent_to_a_field(server, token, operations, field, sender):
    headers = {} if sender == "anybody" else {"authorization": f"Bearer {token}"}

    @bounded
    @given(case=operations[field].as_strategy())
    def send(case):
        check(server, case, headers)

    send()


def test_every_field_was_tried(operations):
    assert set(operations) == set(FIELDS)


def test_afterwards_the_server_is_well_and_nothing_went_wrong_inside(server):
    assert httpx.get(f"{server.url}/ready").json() == {"ready": True}
    log = server.log_file.read_text()
    assert "internal error" not in log
    assert '"level": "error"' not in log
    assert '"level": "critical"' not in log
