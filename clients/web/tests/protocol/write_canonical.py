# ruff: noqa: INP001 - a script that the tests of the pages run
"""Writes each value of a JSON list on standard input as Python's canonical JSON, as a JSON list."""

import json
import sys

from consent_client.protocol.canonical_json import canonical

if __name__ == "__main__":
    texts = [canonical(value).decode() for value in json.load(sys.stdin)]
    sys.stdout.write(json.dumps(texts))
