"""`consent certificate`: what a certificate says, in words."""

from pathlib import Path
from typing import Annotated

import typer

from consent_client.cli.common import HELP_NAMES, Common, print_json, with_common
from consent_client.errors import BadCertificate, StateError
from consent_client.exports.croissant import fragment
from consent_client.protocol.certificates import (
    MAX_CERTIFICATE_BYTES,
    Certificate,
    key_id,
    verify_certificate,
)
from consent_client.protocol.verdicts import Verdict

certificate = typer.Typer(
    name="certificate",
    no_args_is_help=True,
    context_settings=HELP_NAMES,
    help="Certificates that what a builder ships was cleared by a registry.",
)

_PROVES = """\
What it proves, once log, evidence and shipped manifest are checked (consent audit certificate):
- The builder fixed this list of images before the registry gave the first answer.
- Every image in the shipped manifest was answered CLEAR or PERMIT by then.
What it does not prove:
- That the fingerprints are those of the images: without the pixels nobody can see that.
- That builder and registry did not agree to lie together; witnesses and samples make that harder.
- That a model was trained on these images and on no others.
- That PERMIT is a licence: statements are not verified."""


@certificate.command(epilog="Example: consent certificate show screened/certificate.json")
@with_common
def show(
    common: Common,
    file: Annotated[Path, typer.Argument(help="A certificate.json.")],
) -> None:
    """Say in words what a certificate says, and what it can not say.

    The builder's signature is checked; log, evidence and manifest are not looked at.
    """
    read = verify_certificate(_bytes(file))
    if common.as_json:
        print_json(_fields(read))
        return
    answered = ", ".join(f"{read.verdicts[each]} {each.name}" for each in Verdict)
    common.say(
        f"{read.shipped_count} images are shipped, out of {read.count} that were screened at "
        f"{read.registry} (log entries {read.session_index} to {read.close_index}): {answered}."
    )
    common.say(f"Signed by the key {key_id(read.builder)}, with {' '.join(read.tool)}.")
    if read.supersedes is not None:
        common.say(f"It takes the place of the certificate {read.supersedes.hex()}.")
    common.say(_PROVES)


@certificate.command(
    epilog="Example: consent certificate export certificate.json --url "
    "https://builder.example/certificate.json"
)
@with_common
def export(
    common: Common,
    file: Annotated[Path, typer.Argument(help="A certificate.json.")],
    *,
    url: Annotated[str | None, typer.Option(help="Where it will be found.")] = None,
) -> None:
    """Print a Croissant fragment that points to a certificate, as JSON-LD."""
    del common  # always JSON
    print_json(fragment(_bytes(file), url or file.name))


def _bytes(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_CERTIFICATE_BYTES + 1)
    except OSError as error:
        raise StateError(f"{file} can not be read: {error.strerror}", str(file)) from None
    if len(data) > MAX_CERTIFICATE_BYTES:
        raise BadCertificate("too long for a certificate")
    return data


def _fields(read: Certificate) -> dict[str, object]:
    return {
        "registry": read.registry,
        "builderKey": key_id(read.builder),
        "session": read.session_index,
        "close": read.close_index,
        "resultsRoot": read.results_root.hex(),
        "shipped": read.shipped_count,
        "shippedRoot": read.shipped_root.hex(),
        "screened": read.count,
        "verdicts": {each.name.lower(): read.verdicts[each] for each in Verdict},
        "spaces": dict(read.spaces),
        "supersedes": None if read.supersedes is None else read.supersedes.hex(),
        "tool": dict(zip(("name", "version"), read.tool, strict=True)),
    }
