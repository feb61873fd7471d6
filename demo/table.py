"""The table at the end of the demonstration, in the terminal."""

from rich.console import Console
from rich.table import Table

from demo.outcomes import Outcome, Report


def show(report: Report, console: Console) -> None:
    """Prints what became of the pictures, what was missed, and what is on the registry's disk."""
    first, second = report.screenings
    counts = (first.count(), second.count())
    table = Table(title=f"{len(first.judged)} pictures, screened twice", title_justify="left")
    table.add_column("outcome")
    table.add_column(first.title, justify="right")
    table.add_column(second.title, justify="right")
    table.add_column("which means")
    for outcome in Outcome:
        if any(count[outcome] for count in counts):
            table.add_row(outcome.word, *(str(count[outcome]) for count in counts), outcome.meaning)
    console.print(table)

    edits = Table(title=f"Opted out, {first.title}", title_justify="left")
    edits.add_column("edit")
    edits.add_column("found", justify="right")
    for edit, (found, of) in first.found().items():
        edits.add_row(edit, f"{found} of {of}")
    console.print(edits)

    for title, names in first.missed().items():
        console.print(f"Missed of {title}: {', '.join(names)}.")
    if report.without_sscd:
        console.print(
            f"The sscd model was not used: {report.without_sscd}. "
            "Only unchanged files and light edits could be found."
        )
    console.print(
        f"{report.withdrawn.title.capitalize()} was withdrawn; its record reads "
        f"{report.status_after}."
    )
    console.print(report.people.words)
    console.print(report.certified.words)
    scan = report.scan
    console.print(
        f"Searched {scan.files} files of the registry ({scan.bytes_read:,} bytes) for the "
        f"{scan.fingerprints} fingerprints of registered and screened pictures: "
        f"{scan.found} found."
    )
    for failure in report.failures:
        console.print(f"FAULT: {failure}", style="bold red")
