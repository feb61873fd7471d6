"""Runs the benchmarks, each in a process of its own, and prints one table.

make bench                                  all of them, about a quarter of an hour
make bench ARGS="replay --records 1000000"  one of them, with what it takes
make bench ARGS=--json                      for other programs
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import machine
from benchmarks.figures import Figure, Report, markdown
from benchmarks.fingerprinting import WANTED_OVERHEAD, WANTED_SPEEDUP

PROGRAMS = (
    "search_binary",
    "search_float",
    "screening",
    "registrations",
    "replay",
    "edge",
    "log",
    "sequencing",
    "committing",
)
FINGERPRINTING = "fingerprinting"
APART = "recall"

_ROOT = Path(__file__).parent.parent


def _output(name: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", "--json"],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout


def _fingerprinting() -> Report:
    found = json.loads(_output(FINGERPRINTING))
    figures = [
        Figure(
            "fingerprinting: the client on top of models and decoding",
            100 * found["overhead"],
            "%",
            at_most=100 * WANTED_OVERHEAD,
        ),
        Figure(
            "- on top of the models, decoding included",
            100 * found["overhead_with_decoding"],
            "%",
        ),
        Figure("- a picture", found["client_ms"], "ms"),
    ]
    if found["speedup"] is not None:
        figures.append(
            Figure("- two workers against one", found["speedup"], "times", at_least=WANTED_SPEEDUP)
        )
    return Report(
        command=f"python -m benchmarks.{FINGERPRINTING}",
        setting=f"{found['pictures']} photographs in {', '.join(found['spaces'])}, "
        f"{machine.load()} at the end.",
        figures=tuple(figures),
    )


def _all() -> list[Report]:
    reports = []
    for name in PROGRAMS:
        print(f"benchmarks.{name} …", file=sys.stderr, flush=True)
        reports.append(Report.from_json(_output(name)))
    print(f"benchmarks.{FINGERPRINTING} …", file=sys.stderr, flush=True)
    return [*reports, _fingerprinting()]


def main(words: Sequence[str]) -> int:
    """Runs one benchmark where it is named first, else all."""
    if words and words[0] in (*PROGRAMS, FINGERPRINTING, APART):
        command = [sys.executable, "-m", f"benchmarks.{words[0]}", *words[1:]]
        return subprocess.run(command, cwd=_ROOT, check=False).returncode
    if any(word != "--json" for word in words):
        print(__doc__, file=sys.stderr)
        return 2
    reports = _all()
    if "--json" in words:
        print(f"[{', '.join(report.to_json() for report in reports)}]")
    else:
        print(f"{machine.description()}\n\n{markdown(reports)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
