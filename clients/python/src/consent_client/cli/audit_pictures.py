"""`consent audit images` and `consent audit canaries`: audits that look at pictures."""

import json
import os
import secrets
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from consent_client.auditor.certificates import (
    EVIDENCE_NAME,
    SHIPPED_NAME,
    Proven,
    audit_certificate,
)
from consent_client.builder import Builder, Candidate
from consent_client.cli.auditing import (
    HtmlOption,
    KeyOption,
    PolicyOption,
    ShippedOption,
    bytes_of,
    common_of,
    end,
    opened_source,
    policy_of,
    reading,
)
from consent_client.cli.common import HELP_NAMES, Common, InsecureOption, JsonOption, usage
from consent_client.errors import BadCertificate, BadStatement, Malformed
from consent_client.manifest_files import open_manifest
from consent_client.protocol.certificates import MAX_CERTIFICATE_BYTES, Certificate
from consent_client.protocol.sampling import NONCE_BYTES, sample_seed, sample_size
from consent_client.protocol.statements import Use
from consent_client.protocol.verdicts import Verdict

type Screen = Callable[[Sequence[tuple[int, Candidate]]], Iterable[tuple[int, Verdict]]]

TOKEN_VARIABLE: Final = "CONSENT_TOKEN"  # noqa: S105 - a name, not a token

_MAX_TOKEN_BYTES: Final = 4_096

ConfidenceOption = Annotated[
    float, typer.Option("--confidence", min=0.5, max=0.9999, help="Of the intervals.")
]

canaries = typer.Typer(
    no_args_is_help=True,
    context_settings=HELP_NAMES,
    rich_markup_mode=None,
    help="Offer edited copies of opted-out pictures to a builder, and count which are left out.",
)


def images(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The pictures that are shipped.")],
    *,
    file: Annotated[
        Path, typer.Option("--certificate", metavar="CERT", help="The builder's certificate.")
    ],
    source: Annotated[
        str, typer.Option("--log", metavar="SOURCE", help="The log that it is logged in.")
    ],
    beacon: Annotated[
        str | None,
        typer.Option(
            metavar="VALUE",
            help="A public beacon's value, later than the certificate: nobody could foresee it.",
        ),
    ] = None,
    nonce: Annotated[
        str | None,
        typer.Option(metavar="HEX", help="Your 32 secret bytes; drawn and printed if not given."),
    ] = None,
    share: Annotated[
        float,
        typer.Option(
            min=1e-7,
            max=0.5,
            help="Look at so many that, if nothing is wrong, less than this share is.",
        ),
    ] = 0.01,
    everything: Annotated[bool, typer.Option("--all", help="Look at every picture.")] = False,
    confidence: ConfidenceOption = 0.95,
    registry: Annotated[
        str | None,
        typer.Option(
            "--screen-at",
            metavar="URL",
            help=f"Ask this registry about the sample, with your own builder's token "
            f"({TOKEN_VARIABLE}, or --token-file).",
        ),
    ] = None,
    token_file: Annotated[Path | None, typer.Option(help="File with the token.")] = None,
    shipped: ShippedOption = None,
    evidence: Annotated[
        Path | None,
        typer.Option("--evidence", metavar="FILE", help="As with certificate."),
    ] = None,
    key: KeyOption = None,
    policy: PolicyOption = None,
    html: HtmlOption = None,
    insecure_http: InsecureOption = False,
    as_json: JsonOption = False,
) -> None:
    """Verify a certificate, and fingerprint a sample of its pictures, or all, again."""
    if not everything and beacon is None:
        usage("say --beacon VALUE, so that nobody chose the sample; or --all")
    common = common_of(ctx, insecure_http=insecure_http, as_json=as_json)
    trusted = policy_of(key, policy)
    secret = _nonce(nonce)
    with reading(common), opened_source(common, source) as opened:
        report, proven = audit_certificate(
            bytes_of(file, MAX_CERTIFICATE_BYTES),
            str(file),
            shipped or file.with_name(SHIPPED_NAME),
            evidence or file.with_name(EVIDENCE_NAME),
            trusted,
            opened,
        )
        if proven is not None:
            count = proven.manifest.count
            seed, size = bytes(NONCE_BYTES), count
            if not everything:
                seed = _seed(proven, beacon or "", secret)
                size = sample_size(share, confidence, count)
                report.facts |= {"beacon": beacon or "", "nonce": secret.hex()}
            from consent_client.inspection.samples import audit_images  # noqa: PLC0415 (extra)

            screen = None
            if registry is not None:
                screen = _screening(common, registry, _token(token_file), proven.certificate)
            audit_images(report, proven, folder, seed, size, confidence, screen)
    end(common, report, html)


@canaries.command(epilog="Example: consent audit canaries make mine --controls others --out offer")
def make(
    ctx: typer.Context,
    registered: Annotated[
        Path, typer.Argument(metavar="DIR", help="Pictures that were opted out before.")
    ],
    *,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="New folder, to be offered.")],
    controls: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Pictures of the same kind that were never registered."),
    ] = None,
) -> None:
    """Write edited copies; what each is comes to lie beside the folder, for your eyes only."""
    common = common_of(ctx, insecure_http=False, as_json=False)
    with reading(common):
        from consent_client.inspection.canaries import (  # noqa: PLC0415 (extra)
            list_of,
            make_canaries,
        )

        made = make_canaries(registered, controls, out)
    common.say(f"{len(made)} pictures in {out}; what they are stands in {list_of(out)}")


@canaries.command(epilog="Example: consent audit canaries count offer --shipped shipped.manifest")
def count(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What was offered.")],
    *,
    shipped: Annotated[
        Path,
        typer.Option(
            "--shipped", metavar="MANIFEST|DIR", help="What the builder ships: manifest or folder."
        ),
    ],
    confidence: ConfidenceOption = 0.95,
    html: HtmlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Count which canaries a builder left out, with an interval for its recall."""
    common = common_of(ctx, insecure_http=False, as_json=as_json)
    with reading(common):
        from consent_client.inspection.canaries import (  # noqa: PLC0415 (extra)
            audit_canaries,
            read_canaries,
            shipped_digests,
        )

        ships = shipped if shipped.is_dir() else open_manifest(shipped)
        report = audit_canaries(read_canaries(folder), shipped_digests(ships), confidence)
    end(common, report, html)


def _screening(common: Common, address: str, token: str, certificate: Certificate) -> Screen:
    """Asks a registry about pictures, for the use that a certificate is about."""
    terms = json.loads(certificate.terms)
    try:
        use = Use.from_cawg(terms["use"])
        required = [str(name) for name in terms["requiredSpaces"]]
    except (BadStatement, KeyError, TypeError):
        raise BadCertificate("its terms do not say what it was screened for") from None

    def screen(items: Sequence[tuple[int, Candidate]]) -> Iterable[tuple[int, Verdict]]:
        with Builder(address, token=token, insecure_http=common.insecure_http) as builder:
            answers = builder.screen(items, dataset="audit", use=use, required_spaces=required)
            yield from ((each.key, each.verdict) for each in answers)

    return screen


def _nonce(text: str | None) -> bytes:
    if text is None:
        return secrets.token_bytes(NONCE_BYTES)
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if len(value) != NONCE_BYTES:
        usage("--nonce is 32 bytes in hex")
    return value


def _seed(proven: Proven, beacon: str, nonce: bytes) -> bytes:
    try:
        return sample_seed(proven.logged.certify.encode(), beacon, nonce)
    except Malformed as error:
        usage(f"--beacon: {error}")


def _token(file: Path | None) -> str:
    """The auditor's own token, from a file or the environment."""
    if file is not None:
        return bytes_of(file, _MAX_TOKEN_BYTES).decode("ascii", "replace")
    token = os.environ.get(TOKEN_VARIABLE, "")
    if not token:
        usage(f"--screen-at needs a builder's token: --token-file FILE, or {TOKEN_VARIABLE}")
    return token
