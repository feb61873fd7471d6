"""What the commands of `consent audit` share: options, whom to believe, how they end."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Annotated, Final, NoReturn, Self

import typer
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from consent_client.auditor.pages import page
from consent_client.auditor.reports import Bounded, Finding, Report, number_text
from consent_client.auditor.sources import Source, open_source, read_file
from consent_client.cli.common import (
    EXIT_INCOMPLETE,
    Common,
    err,
    fail,
    print_json,
    reported,
    usage,
)
from consent_client.errors import BadNote, BadPolicy, StateError, TransportError, Unreadable
from consent_client.protocol.notes import NoteVerifier
from consent_client.protocol.policies import MAX_POLICY_BYTES, Policy, parse_policy

EXIT_FAILED: Final = 5
"""Something is wrong with what was audited."""

LINE_SECONDS: Final = 10.0
"""Where there is no terminal, progress is a line as often as this."""

SourceArgument = Annotated[
    str,
    typer.Argument(metavar="SOURCE", help="A folder with a log, or a registry's address."),
]
KeyOption = Annotated[
    str | None,
    typer.Option(
        "--key", metavar="VKEY", help="The registry's verifier key, from somebody you trust."
    ),
]
PolicyOption = Annotated[
    Path | None,
    typer.Option(
        "--policy",
        metavar="FILE",
        help="A C2SP tlog-policy: the registry's key, witnesses, and how many must have signed.",
    ),
]
HtmlOption = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", help="Write the report as a page, too.")
]


CertificateArgument = Annotated[
    Path, typer.Argument(metavar="CERT", help="The certificate, a certificate.json.")
]
ShippedOption = Annotated[
    Path | None,
    typer.Option(
        "--shipped",
        metavar="MANIFEST",
        help="The manifest of what is shipped. Default: shipped.manifest beside the certificate.",
    ),
]


def common_of(ctx: typer.Context, *, insecure_http: bool, as_json: bool) -> Common:
    """The common options, given before or after the command's name."""
    before = ctx.obj if isinstance(ctx.obj, Common) else Common()
    return Common(
        insecure_http=insecure_http or before.insecure_http, as_json=as_json or before.as_json
    )


def policy_of(key: str | None, file: Path | None) -> Policy:
    """Whose signatures are believed."""
    if (key is None) == (file is None):
        usage("say whom to believe: --key VKEY, or --policy FILE")
    try:
        if key is not None:
            return Policy.of_log(NoteVerifier.parse(key))
        data = read_file(file, MAX_POLICY_BYTES) if file is not None else None
        return parse_policy(b"" if data is None else data)
    except (BadNote, BadPolicy, Unreadable) as error:
        usage(f"--{'key' if file is None else 'policy'}: {error}")


def bytes_of(file: Path, limit: int) -> bytes:
    """A file's bytes; `Unreadable` where there is none, or it is longer."""
    data = read_file(file, limit)
    if data is None:
        raise Unreadable(f"there is no file {file}", str(file))
    return data


@contextmanager
def opened_source(common: Common, text: str) -> Iterator[Source]:
    """A log, closed at the end."""
    source = open_source(text, insecure_http=common.insecure_http)
    try:
        yield source
    finally:
        source.close()


@contextmanager
def reading(common: Common) -> Iterator[None]:
    """What can not be read ends with a status of its own: nothing is said about it."""
    with reported(common):
        try:
            yield
        except (Unreadable, TransportError, StateError) as error:
            fail(common, error, EXIT_INCOMPLETE)


def end(common: Common, report: Report, html: Path | None) -> NoReturn:
    """Shows a report, and ends with what it says."""
    if html is not None:
        try:
            html.write_text(page(report), encoding="utf-8")
        except OSError as error:
            message = f"{html} can not be written: {error.strerror}"
            fail(common, StateError(message, str(html)))
    if common.as_json:
        print_json(report.to_json())
    else:
        _print(common, report)
    raise typer.Exit(0 if report.ok else EXIT_FAILED)


def _print(common: Common, report: Report) -> None:
    common.say(report.title)
    parts = {
        "What it is about": [f"{name}: {value}" for name, value in report.facts.items()],
        "FAILED": [*map(found, report.failed)],
        "Not listed": [f"{kind.value}: {number} more" for kind, number in report.unlisted()],
        "To be known": [*map(found, report.notes)],
        "Verified": [each.what for each in report.verified],
        "Bounded": [f"{each.what} ({_numbers(each)})" for each in report.bounded],
        "Not to be verified, and why": [f"{each.what}: {each.why}" for each in report.unverifiable],
    }
    for heading, lines in parts.items():
        if lines:
            common.say(f"\n{heading}")
        for line in lines:
            common.say(f"  {line}")


def found(finding: Finding) -> str:
    """A finding in a line."""
    return f"{finding.fault.value}  {finding.where}: {finding.message}"


def _numbers(bounded: Bounded) -> str:
    return ", ".join(f"{name} {number_text(value)}" for name, value in bounded.numbers.items())


class Shown:
    """Progress: a bar on a terminal, else a line now and then."""

    def __init__(self, common: Common) -> None:
        self._common = common
        self._next_line = time.monotonic() + LINE_SECONDS
        self._bar = Bar(
            TextColumn("auditing"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=err,
            transient=True,
            disable=common.as_json or not err.is_terminal,
        )
        self._task = self._bar.add_task("auditing", total=None)

    def progress(self, done: int, total: int) -> None:
        """A bundle was read."""
        self._bar.update(self._task, completed=done, total=total)
        now = time.monotonic()
        if not err.is_terminal and now >= self._next_line:
            self._next_line = now + LINE_SECONDS
            self._common.note(f"read {done} of {total} entries")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()
