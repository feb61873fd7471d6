"""`consent snapshot`: downloads what the local first stage needs, and says whether it is good."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from consent_client.addresses import registry_address
from consent_client.cli.common import HELP_NAMES, Common, fail, print_json, usage, with_common
from consent_client.errors import MissingExtra, SnapshotError
from consent_client.meeting import meet
from consent_client.protocol.notes import NoteVerifier
from consent_client.state import State
from consent_client.transport import Connection

if TYPE_CHECKING:
    from consent_client.snapshots.snapshot import Snapshot

EXIT_STALE: Final = 5
"""A snapshot that is out of date, or can not be verified: nothing may be called CLEAR."""

snapshot = typer.Typer(
    no_args_is_help=True,
    context_settings=HELP_NAMES,
    help="Codes of what is registered, for a first look at many images on this machine. A code "
    "that is hit makes a candidate, which only the registry can confirm.",
)

FolderOption = Annotated[
    Path | None,
    typer.Option(
        "--folder", metavar="DIR", help="Where it is kept. Default: in your user data folder."
    ),
]


@snapshot.command(epilog="Examples: consent snapshot pull · consent snapshot pull --from mirror/")
@with_common
def pull(
    common: Common,
    *,
    folder: FolderOption = None,
    mirror: Annotated[
        Path | None,
        typer.Option("--from", metavar="DIR", help="A copy of the registry's folder, not the web."),
    ] = None,
) -> None:
    """Download what is new and check it; exit code 5 where it can not be relied on."""
    need_extra()
    from consent_client.snapshots import pulling  # noqa: PLC0415 (the extra may be missing)
    from consent_client.snapshots.sources import FolderSource, WebSource  # noqa: PLC0415

    state = common.state()
    verifier = verifier_of(common, state, ask=mirror is None)
    source = (
        WebSource(common.address(state), insecure_http=common.insecure_http)
        if mirror is None
        else FolderSource(mirror)
    )
    try:
        found = pulling.pull(source, folder or default_folder(state, verifier), verifier)
    except SnapshotError as error:
        fail(common, error, EXIT_STALE)
    _tell(common, found)


@snapshot.command(epilog="Example: consent snapshot verify --json")
@with_common
def verify(common: Common, *, folder: FolderOption = None) -> None:
    """Check every byte of what was downloaded; asks nobody. Exit code 5 where it is not good."""
    found = _opened(common, folder)
    if common.as_json:
        print_json({"serial": found.manifest.serial, "verified": True})
    common.say(f"Snapshot {found.manifest.serial} is whole, signed and in date.")


@snapshot.command(epilog="Example: consent snapshot info")
@with_common
def info(common: Common, *, folder: FolderOption = None) -> None:
    """Say what a downloaded snapshot has and how good its first stage is."""
    _tell(common, _opened(common, folder))


def _opened(common: Common, folder: Path | None) -> "Snapshot":
    need_extra()
    from consent_client.snapshots.pulling import open_snapshot  # noqa: PLC0415

    state = common.state()
    verifier = verifier_of(common, state, ask=False)
    try:
        return open_snapshot(folder or default_folder(state, verifier), verifier)
    except SnapshotError as error:
        fail(common, error, EXIT_STALE)


def _tell(common: Common, found: "Snapshot") -> None:
    manifest = found.manifest
    if common.as_json:
        print_json(
            {
                "origin": manifest.origin,
                "serial": manifest.serial,
                "base": manifest.base,
                "logSize": manifest.log_size,
                "expires": manifest.expires,
                "digest": found.manifest_digest.hex(),
                "spaces": {
                    name: {
                        "codes": of.count,
                        "bits": of.bits,
                        "radius": of.radius,
                        "recall": of.recall_ppm / 1e6,
                        "falseCandidates": of.false_ppm / 1e6,
                        "leakage": of.leakage_ppm / 1e6,
                    }
                    for name, of in manifest.spaces.items()
                },
            }
        )
    until = datetime.fromtimestamp(manifest.expires, UTC).isoformat(timespec="minutes")
    common.say(
        f"{manifest.origin}: snapshot {manifest.serial}, log size {manifest.log_size}, good until "
        f"{until}"
    )
    for name, of in manifest.spaces.items():
        common.say(
            f"  {name}: {of.count} codes of {of.bits} bits, radius {of.radius}; finds "
            f"{of.recall_ppm / 1e4:.1f} % of what the registry matches; up to "
            f"{of.false_ppm / 1e4:.2f} % of all else are candidates too"
        )


def verifier_of(common: Common, state: State, *, ask: bool) -> NoteVerifier:
    """The registry's key: the one given, the one pinned, or what it shows at first use."""
    if common.registry_key:
        return NoteVerifier.parse(common.registry_key)
    address = common.address(state)
    known = registry_address(address, insecure_http=common.insecure_http)
    for pinned in state.registries():
        if known in pinned.addresses or known == pinned.address:
            return NoteVerifier.parse(pinned.verifier_key)
    if not ask:
        _unknown()
    with Connection(
        address, insecure_http=common.insecure_http, on_wait=common.on_wait
    ) as connection:
        return NoteVerifier.parse(meet(connection, state, None).pinned.verifier_key)


def _unknown() -> NoReturn:
    usage("this registry's key is not known here: give it with --registry-key")


def default_folder(state: State, verifier: NoteVerifier) -> Path:
    """Where a registry's snapshot is kept if no other folder is named."""
    return state.folder / "snapshots" / verifier.key_hash.hex()


def need_extra() -> None:
    """Raises `MissingExtra` where snapshots can not be opened."""
    try:
        import pyarrow  # noqa: F401, ICN001, PLC0415
        import tuf  # noqa: F401, PLC0415
    except ImportError:
        raise MissingExtra(
            "snapshots need further libraries: pip install 'consent-client[snapshots]'", "snapshots"
        ) from None
