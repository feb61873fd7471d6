"""`consent audit`: verifies logs, receipts and certificates, without trusting who shows them."""

import datetime as dt
import time
from pathlib import Path
from typing import Annotated

import typer

from consent_client.auditor.certificates import (
    EVIDENCE_NAME,
    SHIPPED_NAME,
    audit_certificate,
)
from consent_client.auditor.keeping import Keeping, read_note
from consent_client.auditor.logs import audit_log
from consent_client.auditor.own import audit_own
from consent_client.auditor.receipts import MAX_RECEIPT_BYTES, audit_receipt
from consent_client.auditor.watching import STALE_HOURS, Watch
from consent_client.cli.audit_pictures import canaries, images
from consent_client.cli.auditing import (
    CertificateArgument,
    HtmlOption,
    KeyOption,
    PolicyOption,
    ShippedOption,
    Shown,
    SourceArgument,
    bytes_of,
    common_of,
    end,
    found,
    opened_source,
    policy_of,
    reading,
)
from consent_client.cli.common import (
    HELP_NAMES,
    Common,
    InsecureOption,
    JsonOption,
    error_json,
    print_json,
)
from consent_client.errors import TransportError, Unreadable
from consent_client.protocol.certificates import MAX_CERTIFICATE_BYTES

audit = typer.Typer(
    no_args_is_help=True,
    context_settings=HELP_NAMES,
    rich_markup_mode=None,
    help="Verify a registry's log, receipts and certificates, from files or over the web.",
    epilog="It ends with 0 where nothing is wrong, 5 where something is, 4 where what is audited "
    "can not be read to the end, 2 for a wrong call.",
)


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
    common = common_of(ctx, insecure_http=insecure_http, as_json=as_json)
    trusted = policy_of(key, policy)
    with reading(common), opened_source(common, source) as opened:
        earlier = [(str(path), read_note(path)) for path in checkpoint or ()]
        with Shown(common) as shown:
            report = audit_log(
                opened,
                trusted,
                keep=Keeping(opened, keep),
                earlier=earlier,
                on_progress=shown.progress,
            )
    end(common, report, html)


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
    common = common_of(ctx, insecure_http=insecure_http, as_json=as_json)
    trusted = policy_of(key, policy)
    with reading(common):
        text = bytes_of(file, MAX_RECEIPT_BYTES).decode("utf-8", "replace")
        if source is None:
            report = audit_receipt(text, str(file), trusted)
        else:
            with opened_source(common, source) as opened:
                report = audit_receipt(text, str(file), trusted, opened)
    end(common, report, html)


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
    common = common_of(ctx, insecure_http=insecure_http, as_json=as_json)
    trusted = policy_of(key, policy)
    with reading(common), opened_source(common, source) as opened:
        report, _ = audit_certificate(
            bytes_of(file, MAX_CERTIFICATE_BYTES),
            str(file),
            shipped or file.with_name(SHIPPED_NAME),
            evidence or file.with_name(EVIDENCE_NAME),
            trusted,
            opened,
        )
    end(common, report, html)


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
    common = common_of(ctx, insecure_http=False, as_json=as_json)
    with reading(common):
        data = bytes_of(file, MAX_CERTIFICATE_BYTES)
        report = audit_own(image, data, str(file), shipped or file.with_name(SHIPPED_NAME))
    end(common, report, html)


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
    common = common_of(ctx, insecure_http=insecure_http, as_json=as_json)
    trusted = policy_of(key, policy)
    if once and keep is None:
        common.note("Without --keep there is nothing to compare the log with.")
    with reading(common), opened_source(common, source) as opened:
        watched = Watch(opened, trusted, Keeping(opened, keep), stale)
        while not once:
            _look(common, watched)
            time.sleep(every * 60)
        report = watched.look(dt.datetime.now(dt.UTC))
    end(common, report, html)


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
    lines = [*map(found, report.failed)] or [f"{size} entries, nothing is wrong"]
    for line in lines:
        common.say(f"{now:%Y-%m-%d %H:%M} UTC: {line}")


audit.command(
    epilog="Example: consent audit images screened/kept --certificate screened/certificate.json "
    "--log https://registry.example --key KEY --beacon VALUE"
)(images)
audit.add_typer(canaries, name="canaries")
