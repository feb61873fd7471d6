# ruff: noqa: INP001 - a script that the tests of the pages run
"""Exports each statement of a JSON list on standard input: CAWG's assertion and AIPREF's header."""

import json
import sys

from consent_client.errors import NothingToExport
from consent_client.exports import aipref, cawg
from consent_client.protocol.statements import Statement


def header(statement: Statement) -> str | None:
    """None: no category is about what is stated."""
    try:
        return aipref.header(statement)
    except NothingToExport:
        return None


if __name__ == "__main__":
    statements = [Statement.decode(bytes.fromhex(each)) for each in json.load(sys.stdin)]
    json.dump([[cawg.assertion(each), header(each)] for each in statements], sys.stdout)
