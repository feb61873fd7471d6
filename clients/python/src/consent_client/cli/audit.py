"""`consent audit`: verifies logs, receipts and certificates, without trusting who shows them."""

import datetime as dt
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Annotated, Final, NoReturn, Self

import typer
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from consent_client.auditor.certificates import (
    EVIDENCE_NAME,
    SHIPPED_NAME,
    audit_certificate,
)
from consent_client.auditor.errors import Unreadable
from consent_client.auditor.keeping import Keeping, read_note
from consent_client.auditor.logs import audit_log
from consent_client.auditor.own import audit_own
from consent_client.auditor.pages import page
from consent_client.auditor.receipts import MAX_RECEIPT_BYTES, audit_receipt
from consent_client.auditor.reports import Bounded, Finding, Report, number_text
from consent_client.auditor.sources import Source, open_source, read_file
from consent_client.auditor.watching import STALE_HOURS, Watch
from consent_client.cli.common import (
    EXIT_INCOMPLETE,
    HELP_NAMES,
    Common,
    InsecureOption,
    JsonOption,
    err,
    error_json,
    fail,
    print_json,
    reported,
    usage,
)
from consent_client.errors import BadNote, BadPolicy, StateError, TransportError
from consent_client.protocol.certificates import MAX_CERTIFICATE_BYTES
from consent_client.protocol.notes import NoteVerifier
from consent_client.protocol.policies import MAX_POLICY_BYTES, Policy, parse_policy

EXIT_FAILED: Final = 5
"""Something is wrong with what was audited."""

LINE_SECONDS: Final = 10.0
"""Where there is no terminal, progress is a line as often as this."""

audit = typer.Typer(
    no_args_is_help=True,
    context_settings=HELP_NAMES,
    rich_markup_mode=None,
    help="Verify a registry's log, receipts and certificates, from files or over the web.",
    epilog="It ends with 0 where nothing is wrong, 5 where something is, 4 where what is audited "
    "can not be read to the end, 2 for a wrong call.",
)

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


@audit.command(
    epilog="Example: consent audit log https://registry.example --policy policy.txt --keep seen"
)
def log(
    ctx: typer.Context,
    source: SourceArgument,
    *,
    key: KeyOption = None,
    policy: PolicyOption = None,
    keep: Annotated[
        Path | None,
        typer.Option(
            "--keep",
            metavar="FOLDER",
            help="Keep what is read there: to go on after an interruption, to read only what is "
            "new next time, and to notice a log that goes back.",
        ),
    ] = None,
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(
            "--checkpoint", metavar="FILE", help="A checkpoint seen before; can be repeated."
        ),
    ] = None,
    html: HtmlOption = None,
    insecure_http: InsecureOption = False,
    as_json: JsonOption = False,
) -> None:
    """Read a whole log: hash every entry, compare every tile, replay every record's state."""
    common = _common(ctx, insecure_http=insecure_http, as_json=as_json)
    trusted = _policy(key, policy)
    with _reading(common), _opened(common, source) as opened:
        earlier = [(str(path), read_note(path)) for path in checkpoint or ()]
        with _Shown(common) as shown:
            report = audit_log(
                opened,
                trusted,
                keep=Keeping(opened, keep),
                earlier=earlier,
                on_progress=shown.progress,
            )
    _end(common, report, html)


@audit.command(
    epilog="Example: consent audit receipt portrait.receipt --key KEY --log https://registry.example"
)
def receipt(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The receipt.")],
    *,
    key: KeyOption = None,
    policy: PolicyOption = None,
    source: Annotated[
        str | None,
        typer.Option("--log", metavar="SOURCE", help="Look there for what became of the record."),
    ] = None,
    html: HtmlOption = None,
    insecure_http: InsecureOption = False,
    as_json: JsonOption = False,
) -> None:
    """Verify a receipt, offline; with a log, also whether the record is still active there."""
    common = _common(ctx, insecure_http=insecure_http, as_json=as_json)
    trusted = _policy(key, policy)
    with _reading(common):
        text = _bytes(file, MAX_RECEIPT_BYTES).decode("utf-8", "replace")
        if source is None:
            report = audit_receipt(text, str(file), trusted)
        else:
            with _opened(common, source) as opened:
                report = audit_receipt(text, str(file), trusted, opened)
    _end(common, report, html)


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


@audit.command(
    epilog="Example: consent audit certificate screened/certificate.json "
    "--log https://registry.example --key KEY"
)
def certificate(
    ctx: typer.Context,
    file: CertificateArgument,
    *,
    source: Annotated[
        str, typer.Option("--log", metavar="SOURCE", help="The log that it is logged in.")
    ],
    shipped: ShippedOption = None,
    evidence: Annotated[
        Path | None,
        typer.Option(
            "--evidence",
            metavar="FILE",
            help="The evidence, or the folder it lies in. Default: beside the certificate.",
        ),
    ] = None,
    key: KeyOption = None,
    policy: PolicyOption = None,
    html: HtmlOption = None,
    insecure_http: InsecureOption = False,
    as_json: JsonOption = False,
) -> None:
    """Verify a certificate: signature, log, shipped manifest, and that every row was cleared."""
    common = _common(ctx, insecure_http=insecure_http, as_json=as_json)
    trusted = _policy(key, policy)
    with _reading(common), _opened(common, source) as opened:
        report = audit_certificate(
            _bytes(file, MAX_CERTIFICATE_BYTES),
            str(file),
            shipped or file.with_name(SHIPPED_NAME),
            evidence or file.with_name(EVIDENCE_NAME),
            trusted,
            opened,
        )
    _end(common, report, html)


@audit.command(
    name="self",
    epilog="Example: consent audit self portrait.jpg --certificate screened/certificate.json",
)
def own(
    ctx: typer.Context,
    image: Annotated[
        Path, typer.Argument(metavar="IMAGE|RECEIPT", help="Your picture, or its receipt.")
    ],
    *,
    file: Annotated[
        Path, typer.Option("--certificate", metavar="CERT", help="The builder's certificate.")
    ],
    shipped: ShippedOption = None,
    html: HtmlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look for your own picture in what a certificate says is shipped."""
    common = _common(ctx, insecure_http=False, as_json=as_json)
    with _reading(common):
        data = _bytes(file, MAX_CERTIFICATE_BYTES)
        report = audit_own(image, data, str(file), shipped or file.with_name(SHIPPED_NAME))
    _end(common, report, html)


@audit.command(
    epilog="Example: consent audit watch https://registry.example --policy policy.txt "
    "--keep seen --once"
)
def watch(
    ctx: typer.Context,
    source: SourceArgument,
    *,
    key: KeyOption = None,
    policy: PolicyOption = None,
    keep: Annotated[
        Path | None,
        typer.Option(
            "--keep", metavar="FOLDER", help="Keep checkpoints there, to compare later ones with."
        ),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Look once, and end with 5 where something is wrong.")
    ] = False,
    every: Annotated[
        float, typer.Option("--every", min=1, metavar="MINUTES", help="How often to look.")
    ] = 5,
    stale: Annotated[
        float,
        typer.Option(
            "--stale", min=24, metavar="HOURS", help="Alarm so long after the newest day began."
        ),
    ] = STALE_HOURS,
    html: HtmlOption = None,
    insecure_http: InsecureOption = False,
    as_json: JsonOption = False,
) -> None:
    """Watch a log: alarm where it forks, goes back, stands still, or loses its witnesses."""
    common = _common(ctx, insecure_http=insecure_http, as_json=as_json)
    trusted = _policy(key, policy)
    if once and keep is None:
        common.note("Without --keep there is nothing to compare the log with.")
    with _reading(common), _opened(common, source) as opened:
        watched = Watch(opened, trusted, Keeping(opened, keep), stale)
        while not once:
            _look(common, watched)
            time.sleep(every * 60)
        report = watched.look(dt.datetime.now(dt.UTC))
    _end(common, report, html)


def _look(common: Common, watched: Watch) -> None:
    """One look of many: a line for each alarm, or that there is none; with --json an object."""
    now = dt.datetime.now(dt.UTC)
    try:
        report = watched.look(now)
    except (Unreadable, TransportError) as error:
        if common.as_json:
            print_json({"time": now.isoformat(), "ok": False, "error": error_json(error)})
        common.note(f"{now:%Y-%m-%d %H:%M} UTC: {error.code}: {error}")
        return
    if common.as_json:
        print_json({"time": now.isoformat()} | report.to_json())
    size = report.facts.get("size", "no")
    lines = [*map(_found, report.failed)] or [f"{size} entries, nothing is wrong"]
    for line in lines:
        common.say(f"{now:%Y-%m-%d %H:%M} UTC: {line}")


def _common(ctx: typer.Context, *, insecure_http: bool, as_json: bool) -> Common:
    before = ctx.obj if isinstance(ctx.obj, Common) else Common()
    return Common(
        insecure_http=insecure_http or before.insecure_http, as_json=as_json or before.as_json
    )


def _policy(key: str | None, file: Path | None) -> Policy:
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


def _bytes(file: Path, limit: int) -> bytes:
    data = read_file(file, limit)
    if data is None:
        raise Unreadable(f"there is no file {file}", str(file))
    return data


@contextmanager
def _opened(common: Common, text: str) -> Iterator[Source]:
    source = open_source(text, insecure_http=common.insecure_http)
    try:
        yield source
    finally:
        source.close()


@contextmanager
def _reading(common: Common) -> Iterator[None]:
    """What can not be read ends with a status of its own: nothing is said about it."""
    with reported(common):
        try:
            yield
        except (Unreadable, TransportError, StateError) as error:
            fail(common, error, EXIT_INCOMPLETE)


def _end(common: Common, report: Report, html: Path | None) -> NoReturn:
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
        "FAILED": [*map(_found, report.failed)],
        "Not listed": [f"{kind.value}: {number} more" for kind, number in report.unlisted()],
        "To be known": [*map(_found, report.notes)],
        "Verified": [each.what for each in report.verified],
        "Bounded": [f"{each.what} ({_numbers(each)})" for each in report.bounded],
        "Not to be verified, and why": [f"{each.what}: {each.why}" for each in report.unverifiable],
    }
    for heading, lines in parts.items():
        if lines:
            common.say(f"\n{heading}")
        for line in lines:
            common.say(f"  {line}")


def _found(finding: Finding) -> str:
    return f"{finding.fault.value}  {finding.where}: {finding.message}"


def _numbers(bounded: Bounded) -> str:
    return ", ".join(f"{name} {number_text(value)}" for name, value in bounded.numbers.items())


class _Shown:
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
