"""`python -m demo`: plays the demonstration, prints a table and writes a page."""

import argparse
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from demo.outcomes import Report
from demo.page import render
from demo.run import run
from demo.table import show

PAGE = "index.html"


def main(arguments: list[str] | None = None) -> int:
    """Returns 0, or 1 where the run shows a fault of the registry."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("demo-out"), help="folder for the page")
    parser.add_argument("--without-sscd", action="store_true", help="do not use the sscd model")
    parser.add_argument("--without-faces", action="store_true", help="do not look for faces")
    options = parser.parse_args(arguments)

    with tempfile.TemporaryDirectory(prefix="consent-demo-") as work:
        report = demonstrate(
            Path(work),
            options.out,
            Console(),
            with_sscd=not options.without_sscd,
            with_faces=not options.without_faces,
        )
    return 1 if report.failures else 0


def demonstrate(
    work: Path, out: Path, console: Console, *, with_sscd: bool, with_faces: bool
) -> Report:
    """Plays the story below `work`, prints the table and writes the page into `out`."""
    report = run(work, with_sscd=with_sscd, with_faces=with_faces, say=console.print)
    out.mkdir(parents=True, exist_ok=True)
    page = out / PAGE
    page.write_text(render(report), encoding="utf-8")
    console.print()
    show(report, console)
    console.print(f"\nThe page with the pictures: {page.absolute()}  ({report.seconds:.0f} s)")
    return report


if __name__ == "__main__":
    sys.exit(main())
