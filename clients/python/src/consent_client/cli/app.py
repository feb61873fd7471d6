"""The command `consent`."""

from importlib.metadata import version
from typing import Annotated

import typer

from consent_client.cli.audit import audit
from consent_client.cli.became import became
from consent_client.cli.certificates import certificate
from consent_client.cli.common import (
    HELP_NAMES,
    Common,
    InsecureOption,
    JsonOption,
    KeyOption,
    RegistryOption,
    StateOption,
    out,
)
from consent_client.cli.exports import export
from consent_client.cli.phrase import phrase
from consent_client.cli.protect import protect
from consent_client.cli.receipts import receipt
from consent_client.cli.records import recover, status, withdraw
from consent_client.cli.screen import screen
from consent_client.cli.snapshot import snapshot
from consent_client.cli.two_stages import confirm, recheck, report

main = typer.Typer(
    name="consent",
    no_args_is_help=True,
    context_settings=HELP_NAMES,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,  # a traceback with local variables would show secrets
    help="Keep an image out of AI training without giving up a name, an account or the image; "
    "and screen data sets for images that people have kept out.",
    epilog="It acts on those who build data sets and ask the registry. It can not reach a model "
    "that is already trained, or somebody who does not ask.",
)


def _version(*, wanted: bool) -> None:
    if wanted:
        out.print(f"consent-client {version('consent-client')}")
        raise typer.Exit


@main.callback()
def options(
    ctx: typer.Context,
    *,
    registry: RegistryOption = None,
    state: StateOption = None,
    registry_key: KeyOption = None,
    insecure_http: InsecureOption = False,
    as_json: JsonOption = False,
    show_version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=lambda wanted: _version(wanted=wanted),
            is_eager=True,
            help="Print the version and end.",
        ),
    ] = False,
) -> None:
    """Takes the common options before the command's name too."""
    del show_version
    ctx.obj = Common(registry, state, registry_key, insecure_http, as_json)


main.add_typer(phrase, name="phrase")
main.add_typer(snapshot, name="snapshot")
main.add_typer(audit, name="audit")
main.add_typer(certificate, name="certificate")
main.command(
    epilog="Examples: consent protect portrait.jpg · consent protect photos/ --given-for "
    "patient-information-management · consent protect art.png --basis rightsholder "
    "--use ai_inference=allowed · consent protect portrait.jpg --face"
)(protect)
main.command(epilog="Example: consent status --json")(status)
main.command(epilog="Examples: consent became · consent became portrait.jpg --json")(became)
main.command(epilog="Example: consent receipt portrait.jpg --out portrait.receipt")(receipt)
main.command(
    epilog="Examples: consent export portrait.jpg --as aipref --path /portrait.jpg · "
    "consent export '#3' --as cawg · consent export '#3' --as 27560 > receipt.jsonld"
)(export)
main.command(
    epilog="Examples: consent withdraw portrait.jpg · consent withdraw '#3' --print > keep.txt · "
    "consent withdraw --from keep.txt"
)(withdraw)
main.command(
    epilog="Example: consent recover --phrase-file phrase.txt --registry https://registry.example"
)(recover)
main.command(
    epilog="Examples: consent screen photos/ --dataset holidays --use ai_generative_training "
    "--out screened · consent screen laion/ --format img2dataset --confirm online --dataset web "
    "--use ai_training --out screened"
)(screen)
main.command(
    epilog="Examples: consent confirm screened/ · consent confirm results/ --out confirmed "
    "--dataset web --use ai_training --require sha256,sscd-1"
)(confirm)
main.command(epilog="Example: consent recheck screened/ --since 12")(recheck)
main.command(epilog="Example: consent report screened/ --json")(report)
