"""Contests over the wire: what clients are told, and what they are not."""

import base64

from tests.api.test_requests import (
    OPEN,
    REGISTER,
    SCREEN,
    b64,
    code_of,
    column_inputs,
    register_input,
)
from tests.support.people import Picture

CONTEST = """mutation C($input: ContestInput!) { contest(input: $input) { __typename
  ... on ContestedBlock { block rows verdicts logSize } ... on Problem { code message } } }"""


def test_a_contest_over_http(server, token):
    cat, dog = Picture(301), Picture(302)
    registered = server.ask(REGISTER, input=register_input(server, cat.fingerprints))["data"]
    while True:
        size = server.ask("{ registry { logSize } }")["data"]["registry"]["logSize"]
        if size >= registered["register"]["logSize"]:
            break
    wanted = {"dataset": "d", "use": "AI_TRAINING", "requiredSpaces": [], "candidateCount": 2}
    session = server.ask(OPEN, token, input=wanted)["data"]["openScreening"]["id"]
    block = {"screeningId": session, "block": 0, "count": 2, "columns": column_inputs([dog, cat])}
    answer = server.ask(SCREEN, token, input=block)["data"]["screen"]
    assert base64.b64decode(answer["verdicts"]) == bytes([0, 1])

    crops = b"".join(Picture(310 + k).sscd for k in range(5))
    good = {
        "screeningId": session,
        "block": 0,
        "count": 1,
        "rows": b64(b"\x02"),
        "columns": column_inputs([cat]),
        "crops": [{"space": "sscd-1", "fingerprints": b64(crops)}],
    }

    def told(**change):
        return server.ask(CONTEST, token, input=good | change)["data"]["contest"]

    for change, code in (
        ({"rows": b64(b"\x01")}, "INVALID_INPUT"),
        ({"rows": ""}, "INVALID_INPUT"),
        ({"block": -1}, "INVALID_INPUT"),
        ({"block": 1}, "INVALID_INPUT"),
        ({"count": 0}, "INVALID_INPUT"),
        ({"count": 1001}, "INVALID_INPUT"),
        ({"crops": []}, "INVALID_INPUT"),
        ({"crops": [{"space": "sscd-1", "fingerprints": b64(crops[:-1])}]}, "INVALID_INPUT"),
        ({"crops": [{"space": "pdq-1", "fingerprints": b64(crops)}]}, "INVALID_INPUT"),
        ({"crops": [{"space": "sscd-1", "fingerprints": b64(bytes(5120))}]}, "INVALID_INPUT"),
        ({"columns": column_inputs([dog])}, "CONFLICT"),
        ({"screeningId": b64(bytes(16))}, "UNKNOWN_SCREENING"),
    ):
        answer = told(**change)
        assert answer.get("code") == code, (change, answer)
        assert b64(crops)[:40] not in str(answer)
    assert code_of(server.ask(CONTEST, input=good)) == "UNAUTHENTICATED"

    final = told()
    assert final["__typename"] == "ContestedBlock"
    assert base64.b64decode(final["verdicts"]) == bytes([1])  # the same file stands
    assert final["rows"] == good["rows"]
    assert told() == final
    other = b"".join(Picture(320 + k).sscd for k in range(5))
    answer = told(crops=[{"space": "sscd-1", "fingerprints": b64(other)}])
    assert answer["code"] == "CONFLICT"
    assert b64(crops)[:40] not in server.log_file.read_text()
