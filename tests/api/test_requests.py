"""The edge: what a request may look like, and what nobody gets to hear."""

import base64
import json
import re

import httpx
import numpy as np
import pytest
from graphql import get_introspection_query

from consent_client.protocol.fingerprints import encode_float
from consent_client.protocol.notes import NoteVerifier
from consent_client.protocol.sealing import decode_sealing_keys
from registry.api.limits import MAX_ALIASES, MAX_DEPTH, MAX_QUERY_CHARACTERS, MAX_ROOT_FIELDS
from tests.support.people import Person, Picture, columns, solve

# Something no answer and no log may repeat.
SECRET = base64.b64encode(b"a fingerprint that nobody else may see").decode()

REGISTER = """mutation R($input: RegisterInput!) { register(input: $input) { __typename
  ... on Registration { recordId registerIndex logSize status }
  ... on Problem { code message } } }"""
OPEN = """mutation O($input: OpenScreeningInput!) { openScreening(input: $input) { __typename
  ... on Screening { id logSize } ... on Problem { code message } } }"""
SCREEN = """mutation S($input: ScreenInput!) { screen(input: $input) { __typename
  ... on ScreenedBlock { block verdicts logSize } ... on Problem { code message } } }"""
CLOSE = """mutation C($input: CloseScreeningInput!) { closeScreening(input: $input) { __typename
  ... on ClosedScreening { complete answered verdicts { clear exclude permit unknown }
      spaces { space present missing } } ... on Problem { code message } } }"""


def b64(data):
    return base64.b64encode(data).decode()


def code_of(answer):
    return answer["errors"][0]["extensions"]["code"]


def register_input(server, fingerprints):
    info = server.ask("{ registry { origin verifierKey sealingKeys } }")["data"]["registry"]
    _, request = Person().seal(
        info["origin"], info["sealingKeys"], info["verifierKey"], fingerprints
    )
    challenge = server.ask(
        """query($id: Base64!) { challenge(recordId: $id) { ... on Challenge { proofOfWork } } }""",
        id=b64(request.record_id),
    )["data"]["challenge"]
    return request.to_json() | {"proofOfWork": solve(challenge["proofOfWork"])}


def column_inputs(pictures):
    return [
        {"space": c.space_id, "present": b64(c.bitmap), "fingerprints": b64(c.data)}
        for c in columns(pictures)
    ]


def test_the_whole_way_over_http(server, token):
    cat, dog = Picture(101), Picture(102)
    registered = server.ask(REGISTER, input=register_input(server, cat.fingerprints))
    assert registered["data"]["register"]["__typename"] == "Registration"
    wanted = registered["data"]["register"]["logSize"]
    while server.ask("{ registry { logSize } }")["data"]["registry"]["logSize"] < wanted:
        pass
    opened = server.ask(
        OPEN,
        token,
        input={
            "dataset": "d",
            "use": "AI_GENERATIVE_TRAINING",
            "requiredSpaces": ["sha256"],
            "candidateCount": 3,
        },
    )["data"]["openScreening"]
    block = {"screeningId": opened["id"], "block": 0, "count": 3}
    answer = server.ask(SCREEN, token, input=block | {"columns": column_inputs([dog, cat, None])})[
        "data"
    ]["screen"]
    assert base64.b64decode(answer["verdicts"]) == bytes([0, 1, 3])
    closed = server.ask(CLOSE, token, input={"screeningId": opened["id"]})["data"]["closeScreening"]
    assert closed["complete"]
    assert closed["verdicts"] == {"clear": 1, "exclude": 1, "permit": 0, "unknown": 1}
    assert {"space": "sha256", "present": 2, "missing": 1} in closed["spaces"]


def test_people_are_looked_for_over_http_by_who_opted_in(server, token):
    face = encode_float(np.random.default_rng(7).standard_normal(128))
    other = encode_float(np.random.default_rng(8).standard_normal(128))
    registered = server.ask(REGISTER, input=register_input(server, {"face-1": (face,)}))
    wanted = registered["data"]["register"]["logSize"]
    while server.ask("{ registry { logSize } }")["data"]["registry"]["logSize"] < wanted:
        pass
    asked = {
        "dataset": "d",
        "use": "AI_GENERATIVE_TRAINING",
        "requiredSpaces": ["face-1"],
        "candidateCount": 3,
    }
    for change in ({}, {"optInSpaces": ["face-1"]}, {"lawfulBasisStated": True}):
        answer = server.ask(OPEN, token, input=asked | change)["data"]["openScreening"]
        assert answer["code"] == "INVALID_INPUT"
    opt_in = {"optInSpaces": ["face-1"], "lawfulBasisStated": True}
    opened = server.ask(OPEN, token, input=asked | opt_in)["data"]["openScreening"]
    column = {
        "space": "face-1",
        "present": b64(b"\x03"),
        "fingerprints": b64(other + face),
        "counts": b64(bytes([2, 0])),
    }
    block = {"screeningId": opened["id"], "block": 0, "count": 3}
    for change in (
        {"counts": None},
        {"counts": b64(bytes([2]))},
        {"counts": b64(bytes([2, 0, 0]))},
        {"counts": b64(bytes([1, 0]))},
        {"counts": b64(bytes([65, 0])), "fingerprints": b64(face * 65)},
        {"space": "sha256", "fingerprints": b64(bytes(64)), "counts": b64(bytes([1, 1]))},
    ):
        answer = server.ask(SCREEN, token, input=block | {"columns": [column | change]})
        assert answer["data"]["screen"]["code"] == "INVALID_INPUT", change
    answer = server.ask(SCREEN, token, input=block | {"columns": [column]})["data"]["screen"]
    assert base64.b64decode(answer["verdicts"]) == bytes([1, 0, 3])


def test_the_registry_introduces_itself(server):
    info = server.ask(
        """{ registry { origin software ready logSize verifierKey sealingKeys
             spaces { id kind dimension bytes radius threshold finds subject }
             limits { bodyBytes blockImages candidates entriesPage } } }"""
    )["data"]["registry"]
    keys = decode_sealing_keys(
        info["sealingKeys"], info["origin"], NoteVerifier.parse(info["verifierKey"])
    )
    assert {int(key.suite) for key in keys} == {1, 2}
    assert [space["id"] for space in info["spaces"]]
    people = [space["id"] for space in info["spaces"] if space["subject"] == "PERSON"]
    assert people == ["face-1"]
    assert info["ready"]


def test_entries_name_nobody_and_are_read_in_pages(server):
    query = """query($start: LogIndex!, $count: Int!) { entries(start: $start, count: $count) {
      __typename ... on EntryBundle { start count logSize data } ... on Problem { code } } }"""
    page = server.ask(query, start=0, count=10)["data"]["entries"]
    assert page["count"] <= min(10, page["logSize"])
    assert server.ask(query, start=10**9, count=10)["data"]["entries"]["count"] == 0
    for count in (0, -1, 16_385):
        answer = server.ask(query, start=0, count=count)["data"]["entries"]
        assert answer["code"] == "INVALID_INPUT"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("recordId", b64(bytes(15))),
        ("recordId", b64(bytes(16))),
        ("ownerPublicKey", b64(bytes(32))),
        ("ownerPublicKey", b64(b"\x01" + bytes(31))),
        ("commitment", b64(bytes(31))),
        ("signature", ""),
        ("sealingKeyId", b64(bytes(9))),
        ("sealed", b64(bytes(100))),
        ("sealed", b64(bytes(20_000))),
    ],
)
def test_a_registration_with_a_wrong_length_or_value_is_a_typed_problem(server, field, value):
    good = register_input(server, Picture(103).fingerprints)
    answer = server.ask(REGISTER, input=good | {field: value})["data"]["register"]
    assert answer["code"] in {"INVALID_INPUT", "SEAL_REJECTED", "SIGNATURE_REJECTED"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"block": -1}, "INVALID_INPUT"),
        ({"count": 0}, "INVALID_INPUT"),
        ({"count": 10_001}, "INVALID_INPUT"),
        ({"count": 9}, "INVALID_INPUT"),
        ({"columns": []}, "INVALID_INPUT"),
        ({"columns": [{"space": "clip", "present": "AQ==", "fingerprints": ""}]}, "INVALID_INPUT"),
        (
            {"columns": [{"space": "sha256", "present": "gQ==", "fingerprints": b64(bytes(32))}]},
            "INVALID_INPUT",
        ),
        (
            {"columns": [{"space": "sha256", "present": "AQ==", "fingerprints": b64(bytes(31))}]},
            "INVALID_INPUT",
        ),
        ({"columns": [{"space": "sha256", "present": "", "fingerprints": ""}]}, "INVALID_INPUT"),
        ({"columns": 2 * column_inputs([Picture(1)])}, "INVALID_INPUT"),
        ({"screeningId": b64(bytes(16))}, "UNKNOWN_SCREENING"),
        ({"screeningId": ""}, "UNKNOWN_SCREENING"),
    ],
)
def test_a_block_that_does_not_follow_the_formats_is_a_typed_problem(server, token, change, code):
    opened = server.ask(
        OPEN,
        token,
        input={"dataset": "d", "use": "AI_TRAINING", "requiredSpaces": [], "candidateCount": 9},
    )["data"]["openScreening"]
    good = {
        "screeningId": opened["id"],
        "block": 0,
        "count": 1,
        "columns": column_inputs([Picture(1)]),
    }
    answer = server.ask(SCREEN, token, input=good | change)["data"]["screen"]
    assert answer["code"] == code
    closed = server.ask(CLOSE, token, input={"screeningId": opened["id"]})["data"]["closeScreening"]
    assert closed["answered"] == 0


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer x",
        "Bearer crb_0_0",
        "Basic Zm9vOmJhcg==",
        "Bearer crb_000000000000_" + "A" * 43,
        "Bearer crb__",
    ],
)
def test_screening_needs_a_valid_token(server, header):
    answer = httpx.post(
        f"{server.url}/graphql",
        json={
            "query": OPEN,
            "variables": {
                "input": {
                    "dataset": "d",
                    "use": "AI_TRAINING",
                    "requiredSpaces": [],
                    "candidateCount": 1,
                }
            },
        },
        headers={"authorization": header} if header is not None else {},
    ).json()
    assert code_of(answer) == "UNAUTHENTICATED"
    assert not answer["data"]


def test_a_revoked_token_is_refused_at_once(server):
    token = server.add_builder("soon gone")
    query = {"dataset": "d", "use": "AI_TRAINING", "requiredSpaces": [], "candidateCount": 1}
    assert "errors" not in server.ask(OPEN, token, input=query)
    server.command("builder", "revoke", "soon gone")
    assert code_of(server.ask(OPEN, token, input=query)) == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    "variables",
    [
        {"input": {"recordId": SECRET + "!"}},
        {"input": {"recordId": [SECRET]}},
        {"input": SECRET},
        {"input": {"nonsense": SECRET}},
        {"input": {"recordId": {"a": SECRET}, "sealed": SECRET}},
        {"input": {"recordId": SECRET, "sealed": 7}},
        {},
    ],
)
def test_a_coercion_error_repeats_nothing(server, variables):
    answer = server.ask(REGISTER, **variables)
    assert code_of(answer) == "BAD_REQUEST"
    assert SECRET not in json.dumps(answer)
    assert SECRET not in server.log_file.read_text()


@pytest.mark.parametrize(
    "query",
    [
        '{ challenge(recordId: "%s") { __typename } }' % (SECRET + "!"),
        f'{{ nonsense(x: "{SECRET}") }}',
        "{{ registry {{ {} }} }}".format(SECRET.replace("=", "").replace("/", "_")),
        f"query {{ challenge(recordId: {SECRET}) {{ __typename }} }}",
        "{ registry { origin } ",
        "",
        "\x00",
        "{ __typename @skip(if: $undefined) }",
        "subscription { x }",
    ],
)
def test_a_bad_query_repeats_nothing(server, query):
    answer = httpx.post(f"{server.url}/graphql", json={"query": query})
    assert answer.status_code < 500
    assert SECRET.rstrip("=") not in answer.text.replace("_", "/")
    assert SECRET not in server.log_file.read_text()


def test_an_alias_flood_is_refused_before_anything_is_done(server):
    fields = " ".join(f"a{i}: registry {{ origin }}" for i in range(MAX_ALIASES + 1))
    answer = server.ask(f"{{ {fields} }}")
    assert code_of(answer) == "BAD_REQUEST"
    assert not answer.get("data")


def test_a_flood_hidden_in_fragments_is_refused(server):
    spreads = " ".join(f"...F{i}" for i in range(MAX_ROOT_FIELDS + 1))
    fragments = " ".join(
        f"fragment F{i} on Query {{ registry {{ origin }} }}" for i in range(MAX_ROOT_FIELDS + 1)
    )
    assert code_of(server.ask(f"{{ {spreads} }} {fragments}")) == "BAD_REQUEST"


def test_many_fields_at_the_top_are_refused_without_aliases_too(server):
    fields = "registry { origin } " * (MAX_ROOT_FIELDS + 1)
    assert code_of(server.ask(f"{{ {fields} }}")) == "BAD_REQUEST"


def test_deep_queries_are_refused(server):
    deep = "{ __schema { types { " + "fields { type { " * MAX_DEPTH + "name" + " } }" * MAX_DEPTH
    assert code_of(server.ask(deep + " } } }")) == "BAD_REQUEST"


def test_a_recursive_fragment_is_refused(server):
    query = "{ ...A } fragment A on Query { registry { origin } ...B } fragment B on Query { ...A }"
    assert code_of(server.ask(query)) == "BAD_REQUEST"


# About as many as the limit of tokens lets through: the rules would walk 2^90 fields.
DOUBLINGS = 90


@pytest.mark.parametrize("leaf", ["registry { origin }", "...F0", "...Unknown"])
def test_fragments_that_double_again_and_again_are_refused_unwalked(server, leaf):
    links = " ".join(
        f"fragment F{i} on Query {{ ...F{i + 1} ...F{i + 1} }}" for i in range(DOUBLINGS)
    )
    query = f"{{ ...F0 }} {links} fragment F{DOUBLINGS} on Query {{ {leaf} }}"
    assert code_of(server.ask(query)) == "BAD_REQUEST"


def test_many_operations_may_not_spread_one_large_fragment_each(server):
    operations = " ".join(f"query Q{i} {{ ...F }}" for i in range(50))
    query = f"{operations} fragment F on Query {{ registry {{ {'origin ' * 50} }} }}"
    assert code_of(server.ask(query)) == "BAD_REQUEST"


def test_an_undefined_fragment_is_the_requests_fault(server):
    assert code_of(server.ask("{ ...Nowhere }")) == "BAD_REQUEST"
    assert "internal error" not in server.log_file.read_text()


def test_introspection_fits_the_limits(server):
    query = get_introspection_query(
        schema_description=True,
        specified_by_url=True,
        directive_is_repeatable=True,
        input_value_deprecation=True,
    )
    assert "errors" not in server.ask(query)


def test_data_in_the_query_text_is_refused_before_it_is_parsed(server):
    query = f'{{ challenge(recordId: "{"A" * MAX_QUERY_CHARACTERS}") {{ __typename }} }}'
    answer = httpx.post(f"{server.url}/graphql", json={"query": query})
    assert answer.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE


def padded(size):
    return b'{"query": "{ __typename }", "x": "' + b"A" * size + b'"}'


def chunks(body):
    for start in range(0, len(body), 10_000):
        yield body[start : start + 10_000]


@pytest.mark.parametrize("form", [bytes, chunks])
def test_a_body_is_limited_by_who_sends_it(server, token, form):
    json_type = {"content-type": "application/json"}
    known = json_type | {"authorization": f"Bearer {token}"}
    false = json_type | {"authorization": f"Bearer {token[:-1]}"}

    def post(size, headers):
        return httpx.post(f"{server.url}/graphql", content=form(padded(size)), headers=headers)

    too_large = httpx.codes.REQUEST_ENTITY_TOO_LARGE
    assert post(60_000, json_type).json() == {"data": {"__typename": "Query"}}
    assert post(70_000, json_type).status_code == too_large
    assert code_of(post(70_000, false).json()) == "UNAUTHENTICATED"
    assert post(2**20, known).json() == {"data": {"__typename": "Query"}}
    assert post(33 * 2**20, known).status_code == too_large


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"7", b'"x"', b"{}", b'{"query": 7}', b"\xff\xfe", b"[" * 10_000],
)
def test_a_body_that_is_no_request_is_answered_not_crashed(server, body):
    answer = httpx.post(
        f"{server.url}/graphql", content=body, headers={"content-type": "application/json"}
    )
    assert 400 <= answer.status_code < 500


def test_only_post_is_served_and_no_websocket_nor_ide(server):
    assert httpx.get(f"{server.url}/graphql").status_code == httpx.codes.METHOD_NOT_ALLOWED
    query = {"query": "{ registry { origin } }"}
    assert httpx.get(f"{server.url}/graphql", params=query).status_code >= 400
    form = httpx.post(f"{server.url}/graphql", data=query)
    assert 400 <= form.status_code < 500


def test_batches_are_refused(server):
    answer = httpx.post(f"{server.url}/graphql", json=[{"query": "{ __typename }"}] * 2)
    assert 400 <= answer.status_code < 500


def test_field_names_are_not_guessed_for_anybody(server):
    answer = server.ask("{ registri { origin } }")
    assert "Did you mean" not in json.dumps(answer)


def test_the_log_holds_no_address_and_no_request(server):
    text = server.log_file.read_text()
    assert not re.search(r"127\.0\.0\.1:\d", text)
    assert "mutation" not in text


def test_health_and_readiness(server):
    assert httpx.get(f"{server.url}/health").json() == {"status": "ok"}
    assert httpx.get(f"{server.url}/ready").json() == {"ready": True}


def test_the_log_names_fields_of_the_schema_and_no_words_of_the_client(server):
    answer = server.ask(
        """mutation O($input: OpenScreeningInput!) { AliasOfTheClientsChoice: openScreening(
        input: $input) { __typename } }""",
        input={"dataset": "d", "use": "AI_TRAINING", "requiredSpaces": [], "candidateCount": 1},
    )
    assert code_of(answer) == "UNAUTHENTICATED"
    log = server.log_file.read_text()
    assert "openScreening" in log
    assert "AliasOfTheClientsChoice" not in log
