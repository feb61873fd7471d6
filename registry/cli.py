"""The operator's commands: `consent-registry --help`."""

import asyncio
import gc
import json
import sys
from collections.abc import Coroutine
from dataclasses import asdict
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import Progress

from consent_client.errors import BadSpaceFile, ConsentError

try:  # spaces are read as the modules are, before there is a command
    import consent_client.protocol.spaces  # noqa: F401 (it is what may fail)
except BadSpaceFile as error:
    sys.stderr.write(f"CONSENT_SPACES: {error}\n")
    raise SystemExit(2) from None

from consent_client.protocol.log import DisputeOutcome, DisputeReason, EraseReason
from registry.errors import ConfigurationError, RegistryError
from registry.logs import configure
from registry.metrics_process import metrics_served
from registry.services import operating
from registry.services.clock import SystemClock
from registry.settings import Settings
from registry.space_commands import app as space
from registry.vault.hardening import disable_core_dumps

EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_INCOMPLETE = 4

# Granian's own log would add the client's address to every request.
SERVER_LOG = False

main = typer.Typer(
    name="consent-registry",
    no_args_is_help=True,
    help="Run a consent registry. Settings are environment variables CONSENT_REGISTRY_*; with none "
    "of them set, one process with SQLite and keys in files serves on 127.0.0.1:8400.",
    pretty_exceptions_enable=False,  # a traceback with local variables would show secrets
    context_settings={"help_option_names": ["-h", "--help"]},
)
builder = typer.Typer(no_args_is_help=True, help="Organisations that may screen.")
keys = typer.Typer(no_args_is_help=True, help="Key epochs and sealing keys.")
main.add_typer(builder, name="builder")
main.add_typer(keys, name="keys")
main.add_typer(space, name="space")

out = Console()
err = Console(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@main.command(epilog="Example: CONSENT_REGISTRY_PORT=8400 consent-registry serve")
def serve(
    workers: Annotated[
        int, typer.Option(min=1, help="Processes; each keeps its own indexes in memory.")
    ] = 1,
) -> None:
    """Serve the API. The first start founds the registry: database, keys, origin."""
    settings = _settings()
    _start()
    if settings.is_embedded:
        err.print(
            "[bold]Embedded default[/]: one machine, one disk. Keys lie in "
            f"{settings.keyring_dir} beside the database: whoever copies this disk can read the "
            "records. For production see docs/operating.md.",
            highlight=False,
        )
    # Granian imports the application in its own processes; settings reach them as environment.
    from granian import Granian  # noqa: PLC0415 (the other commands need no server)
    from granian.constants import Interfaces, Loops  # noqa: PLC0415

    server = Granian(
        "registry.cli:application",
        factory=True,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        loop=Loops.uvloop,
        workers=workers,
        log_enabled=SERVER_LOG,
        log_access=False,
        websockets=False,
        respawn_failed_workers=True,
        workers_kill_timeout=10,
    )
    try:
        with metrics_served(settings):
            server.serve()
    except ConfigurationError as error:
        _fail(str(error))


def application() -> Any:
    """What each of granian's processes serves."""
    _start()
    from registry.app import create_app  # noqa: PLC0415 (only servers need it)

    served = create_app()
    # Modules and schema stay for good: some 150,000 objects that a full collection would walk
    # again and again, while nobody is answered.
    gc.collect()
    gc.freeze()
    return served


@main.command(
    epilog="Example: consent-registry witness --name ngo.example/witness --log "
    "'registry.example+…' --folder /var/lib/witness --port 8500"
)
def witness(
    name: Annotated[str, typer.Option(help="The witness's name, as in a policy: a host and path.")],
    folder: Annotated[Path, typer.Option(help="Where its key and its memory are. Never lose it.")],
    logs: Annotated[
        list[str], typer.Option("--log", help="Verifier key of a log to witness; several times.")
    ],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on.")] = 8500,
) -> None:
    """Witness the logs of registries: cosign their checkpoints while they only grow.

    Prints its verifier key, which goes into the policies of those who trust it. It needs no
    database and learns nothing but sizes and hashes.
    """
    configure()
    from registry.witness.serving import serve_witness  # noqa: PLC0415 (only a witness needs it)

    try:
        serve_witness(name, folder, logs, host, port, lambda vkey: out.print(vkey, soft_wrap=True))
    except (RegistryError, ConsentError) as error:
        _fail(str(error))


@main.command()
def init() -> None:
    """Found the registry without serving it: database, keys, origin. Repeating it is harmless."""
    settings = _settings()
    _start()
    _run(operating.initialise(settings, SystemClock()))
    out.print(f"The registry {settings.origin} is founded.", highlight=False)


@main.command(epilog="Example: consent-registry erase 4711 --reason COURT_ORDER")
def erase(
    record_entry: Annotated[int, typer.Argument(min=0, help="Index of its REGISTER entry.")],
    reason: Annotated[
        str, typer.Option(help=f"One of {', '.join(reason.name for reason in EraseReason)}.")
    ],
    *,
    as_json: AsJson = False,
) -> None:
    """End a record by the operator's decision. The reason is public, in the log, for ever."""
    chosen = _member(EraseReason, reason, "--reason")
    settings = _settings()
    _start()
    index = _run(operating.erase_record(settings, record_entry, chosen))
    if as_json:
        _print_json({"recordEntry": record_entry, "eraseEntry": index, "reason": chosen.name})
    else:
        out.print(
            f"The record of entry {record_entry} is erased (entry {index}, {chosen.name}). Old "
            "backups of it go dark after two key rotations: consent-registry keys rotate.",
            highlight=False,
        )


@main.command(
    epilog="Examples: consent-registry dispute 'Web pictures 3' cat.jpg · consent-registry dispute "
    "'Web pictures 3' cat.jpg --record 812 --outcome MISTAKEN --reason ANOTHER_IMAGE"
)
def dispute(
    screening: Annotated[
        str, typer.Argument(help="The session: its id in hex, or its data set's name.")
    ],
    image: Annotated[Path, typer.Argument(help="The file that was screened.")],
    *,
    url: Annotated[
        str | None, typer.Option(help="Its address, where addresses were screened too.")
    ] = None,
    record: Annotated[
        int | None, typer.Option(min=0, help="Decide: about this record, by its REGISTER entry.")
    ] = None,
    outcome: Annotated[
        str | None, typer.Option(help="Decide: STANDS, MISTAKEN or ERASED; see above.")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Decide: why.")] = None,
    as_json: AsJson = False,
) -> None:
    """Look again at an exclusion that a builder disputes, and decide.

    Without --record it shows which records exclude the picture now, and in which spaces. A decision
    goes into the log, with its reason, for everybody and for ever; the record's owner sees it.
    STANDS (SAME_IMAGE, SAME_PERSON, UNDECIDED) changes nothing. MISTAKEN (ANOTHER_IMAGE): tell the
    builder that the image may stay. ERASED (FALSE_STATEMENT) ends the record. Which image it was
    about is in no log. Needs consent-client[images]; [sscd] and [face] where those were screened.
    """
    if len({record is None, outcome is None, reason is None}) > 1:
        raise typer.BadParameter("a decision has --record, --outcome and --reason")
    settings = _settings()
    _start()
    try:
        from registry import disputing  # noqa: PLC0415 (it needs what fingerprints pictures)
    except ModuleNotFoundError:
        _fail("This needs consent-client[images].")
    picture = disputing.Picture(screening, image, url)
    if record is None or outcome is None or reason is None:
        _show_examined(_run(disputing.examine(settings, SystemClock(), picture)), as_json=as_json)
        return
    decided = _member(DisputeOutcome, outcome, "--outcome")
    why = _member(DisputeReason, reason, "--reason")
    index = _run(disputing.decide(settings, picture, record, decided, why))
    if as_json:
        _print_json(
            {
                "disputeEntry": index,
                "recordEntry": record,
                "outcome": decided.name,
                "reason": why.name,
            }
        )
    else:
        out.print(
            f"Entry {index}: {decided.name}, {why.name}, about the record of entry {record}.",
            highlight=False,
        )


def _show_examined(found: Any, *, as_json: bool) -> None:
    if as_json:
        _print_json(
            {
                "screening": found.screening_id.hex(),
                "dataset": found.dataset,
                "block": found.block,
                "row": found.row,
                "records": [
                    {"recordEntry": each.register_index, "spaces": list(each.spaces)}
                    for each in found.refusals
                ],
            }
        )
        return
    out.print(
        f"Excluded in session {found.screening_id.hex()}, block {found.block}, row {found.row}.",
        highlight=False,
    )
    for each in found.refusals:
        out.print(
            f"  The record of entry {each.register_index} matches it in {', '.join(each.spaces)}.",
            highlight=False,
        )
    if not found.refusals:
        out.print("  What excluded it has ended: screened again it would not be.", highlight=False)


@main.command(epilog="Example: consent-registry publish --json")
def publish(*, as_json: AsJson = False) -> None:
    """Publish a snapshot: codes of the active records' works, for builders to download.

    The first one is a base; later ones are deltas, as long as they pay. Whatever interrupts it, it
    can be run again. Downloaded copies outlive a withdrawal: see docs/snapshots.md.
    """
    settings = _settings()
    _start()
    done = _run(operating.publish_snapshot(settings, SystemClock()))
    manifest = done.manifest
    if as_json:
        _print_json(
            {
                "serial": manifest.serial,
                "base": manifest.base,
                "logSize": manifest.log_size,
                "expires": manifest.expires,
                "changed": done.changed,
                "codes": {name: of.count for name, of in manifest.spaces.items()},
            }
        )
        return
    until = datetime.fromtimestamp(manifest.expires, UTC).isoformat(timespec="minutes")
    out.print(
        f"Snapshot {manifest.serial} ({'base' if done.is_base else 'delta'}) of log size "
        f"{manifest.log_size} is in {settings.snapshot_dir}: {done.changed} codes came or went; it "
        f"expires {until}.",
        highlight=False,
        markup=False,
    )


@main.command(epilog="Example: consent-registry backup companion-2026-11-23.db")
def backup(
    file: Annotated[Path, typer.Argument(help="A new file; SQLite, whatever the database is.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Write everything but the ciphertexts to a small file: the companion of a database backup.

    Rotation makes database backups unreadable, on purpose. The newest companion makes those records
    of an older database backup readable again that have not ended since. Make one after each
    rotation, and as often as you can bear to lose registrations. It holds nothing that can be read
    without the key store, which is never backed up beside it.
    """
    settings = _settings()
    _start()
    size = _run(operating.back_up(settings, file))
    if as_json:
        _print_json({"file": str(file), "logSize": size})
    else:
        out.print(f"{file} holds the registry at log size {size}.", highlight=False, markup=False)


@main.command(epilog="Example: consent-registry restore companion-2026-11-23.db")
def restore(
    file: Annotated[
        Path | None, typer.Argument(help="The newest companion, if there is one.")
    ] = None,
    *,
    log_lost: Annotated[
        bool, typer.Option("--log-lost", help="Go on although the published log is gone for good.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring a database that was restored from a backup to all that this registry has published.

    First restore the database with its own tools, with no server running, then run this. What was
    withdrawn, erased or expired since the backup stays unreadable. What was registered since is
    lost: it is ended by ERASE entries with the reason TECHNICAL, so that its owners hear of it. It
    can be run again, whatever interrupted it.
    """
    settings = _settings()
    _start()
    done = _run(operating.restore(settings, SystemClock(), file, log_lost=log_lost))
    if as_json:
        _print_json(asdict(done))
    else:
        out.print(
            f"{done.entries} log entries taken from the companion, {done.published} from the "
            f"published log; {done.readable} active records readable; {done.ended} had ended "
            f"since; {done.lost} lost and erased as TECHNICAL.",
            highlight=False,
        )


@main.command(
    epilog="Example: consent-registry calibrate shards/ --draw 20000 --out calibration; then, with "
    "calibration/review.csv filled in: consent-registry calibrate --out calibration --review "
    "calibration/review.csv --name 'Common Crawl images, June'"
)
def calibrate(
    sample: Annotated[
        str | None,
        typer.Argument(
            help="A folder of pictures; .tar (WebDataset), .parquet or .csv files, a folder or a "
            "quoted pattern of them: a random sample, or with --draw what one is drawn from."
        ),
    ] = None,
    *,
    out: Annotated[
        Path, typer.Option(help="Folder for pages and list, new or of the same calibration.")
    ],
    draw: Annotated[
        int | None, typer.Option(min=1, help="Images to draw at random. Default: all.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Threads that fingerprint. Default: one per core.")
    ] = None,
    review: Annotated[
        Path | None, typer.Option(help="The list, filled in: publishes what came of it.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="With --review: the data set's name, for everyone to read.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure how often images are excluded that no record is a copy of, and publish it.

    First with SAMPLE: every image is matched with the whole registry, under every policy; pages
    with the hits and a list to fill in come to lie in --out. They show the sample's images and
    nothing of a record. Then with --review: rate and interval are published in the API, and
    records with more false hits than their quota are named. Works beside a serving registry;
    interrupted, the same command goes on where it was. Needs consent-client[screen,sscd].
    """
    if (sample is None) == (review is None) or (review is None) != (name is None):
        raise typer.BadParameter("name a SAMPLE to match, or --review and --name to publish")
    settings = _settings()
    _start()
    if review is None:
        _match_sample(settings, sample or "", out, draw, workers, as_json=as_json)
    else:
        _publish_review(settings, out, review, name or "", as_json=as_json)


def _match_sample(
    settings: Settings,
    sample: str,
    out: Path,
    draw: int | None,
    workers: int | None,
    *,
    as_json: bool,
) -> None:
    run, report = _calibration()
    with Progress(console=err, disable=not err.is_terminal or as_json) as bars:
        task = bars.add_task("matching", total=None)

        def show(at: Any) -> None:
            bars.update(task, completed=at.done, total=at.total, description=f"{at.hits} hits")
            if not err.is_terminal and not as_json:
                err.print(f"matched {at.done} of {at.total}, {at.hits} hits", highlight=False)

        work = run.match_sample(
            settings, SystemClock(), sample, out, drawn=draw, workers=workers, on_progress=show
        )
        try:
            matched = _run(work)
        except KeyboardInterrupt:
            err.print("Interrupted. Run the same command again to go on.")
            raise typer.Exit(EXIT_INCOMPLETE) from None
    _tell(report.matched_json(matched), report.matched_text(matched), as_json=as_json)


def _publish_review(
    settings: Settings, out: Path, review: Path, name: str, *, as_json: bool
) -> None:
    run, report = _calibration()
    done = _run(run.publish_review(settings, SystemClock(), out, review, name))
    _tell(report.published_json(done), report.published_text(done), as_json=as_json)


def _calibration() -> tuple[Any, Any]:
    """What calibrates; imported here alone, since it needs extras that a server does not."""
    try:
        from registry.calibration import report, run  # noqa: PLC0415
    except ConsentError as error:  # MissingExtra, MissingModel
        _fail(str(error))
    return run, report


def _tell(value: object, text: str, *, as_json: bool) -> None:
    if as_json:
        _print_json(value)
    else:
        out.print(text, highlight=False, markup=False, soft_wrap=True)


@main.command()
def schema(
    output: Annotated[Path | None, typer.Option(help="Write to this file instead.")] = None,
) -> None:
    """Print the GraphQL schema."""
    from registry.api.schema import SCHEMA  # noqa: PLC0415 (only this command needs it)

    text = SCHEMA.as_str().rstrip() + "\n"
    if output is None:
        sys.stdout.write(text)
    else:
        output.write_text(text)


@builder.command("add", epilog="Example: consent-registry builder add 'Example Lab' > token")
def builder_add(
    name: Annotated[str, typer.Argument(help="Shown to operators only.")],
    items_per_day: Annotated[
        int | None, typer.Option(min=1, help="Images per day; without it the default quota.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Add a builder and print its token, once: only a hash of it is kept."""
    settings = _settings()
    _start()
    token = _run(operating.add_builder(settings, SystemClock(), name, items_per_day))
    if as_json:
        _print_json({"name": name, "token": token})
    else:
        err.print("This token is shown once. Hand it over safely.")
        sys.stdout.write(token + "\n")


@builder.command("list")
def builder_list(*, as_json: AsJson = False) -> None:
    """List builders; tokens are not known."""
    settings = _settings()
    _start()
    rows = _run(operating.list_builders(settings))
    if as_json:
        _print_json(
            [
                {
                    "name": row.name,
                    "revoked": row.revoked_day is not None,
                    "itemsPerDay": row.daily_items,
                }
                for row in rows
            ]
        )
        return
    for row in rows:
        quota = f"{row.daily_items} images a day" if row.daily_items else "default quota"
        state = "revoked" if row.revoked_day is not None else quota
        out.print(f"{row.name}: {state}", highlight=False, markup=False)


@builder.command("revoke")
def builder_revoke(name: Annotated[str, typer.Argument(help="As given to `add`.")]) -> None:
    """Revoke a builder's token at once. Its name can not be used again."""
    settings = _settings()
    _start()
    _run(operating.revoke_builder(settings, SystemClock(), name))
    out.print(f"The token of {name} is revoked.", highlight=False, markup=False)


@builder.command("hold")
def builder_hold(name: Annotated[str, typer.Argument(help="As given to `add`.")]) -> None:
    """Answer nothing new to a builder until it is released; what it was told stays."""
    settings = _settings()
    _start()
    _run(operating.hold_builder(settings, SystemClock(), name))
    out.print(f"{name} is held.", highlight=False, markup=False)


@builder.command("held")
def builder_held(
    *,
    every: Annotated[bool, typer.Option("--all", help="Also those that were released.")] = False,
    as_json: AsJson = False,
) -> None:
    """List builders that are held, and for which record's budget.

    Look at what the builder screens. Many different images that all come near one record are how
    somebody rebuilds a fingerprint from answers; many copies of a popular image are not.
    """
    settings = _settings()
    _start()
    rows = _run(operating.list_holds(settings, released=every))
    if as_json:
        _print_json(
            [
                {
                    "builder": row.builder,
                    "registerIndex": row.register_index,
                    "rate": row.rate.name,
                    "heldAt": row.held_at,
                    "releasedAt": row.released_at,
                    "allowance": row.allowance,
                }
                for row in rows
            ]
        )
        return
    for row in rows:
        since = datetime.fromtimestamp(row.held_at, UTC).isoformat(timespec="minutes")
        what = (
            "by the operator, or a block with too many matches"
            if row.register_index is None
            else f"record {row.register_index}, {row.rate.name}; "
            f"a release allows {row.allowance} candidates"
        )
        state = "" if row.released_at is None else " (released)"
        out.print(f"{row.builder}: since {since}: {what}{state}", highlight=False, markup=False)


@builder.command("release")
def builder_release(name: Annotated[str, typer.Argument(help="As given to `add`.")]) -> None:
    """Let a held builder go on; the block it was held for is answered when it is sent again."""
    settings = _settings()
    _start()
    count = _run(operating.release_builder(settings, SystemClock(), name))
    out.print(f"{name}: {count} released.", highlight=False, markup=False)


@keys.command("rotate", epilog="Example: consent-registry keys rotate --wait 120")
def keys_rotate(
    wait: Annotated[
        float, typer.Option(min=0, help="Seconds to wait for serving processes to follow.")
    ] = 60.0,
    *,
    as_json: AsJson = False,
) -> None:
    """Begin a new key epoch, rewrap every live record's key, destroy the epoch before last.

    Works while the registry serves. Interrupted anywhere, it is finished by running it again.
    Whatever was withdrawn before the last rotation is unreadable afterwards, in old backups too.
    """
    settings = _settings()
    _start()
    with Progress(console=err, disable=not err.is_terminal or as_json) as bars:
        tasks: dict[str, Any] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
                if not err.is_terminal and not as_json:
                    err.print(f"{what}: {total}", highlight=False)
            bars.update(tasks[what], completed=done, total=total)

        result = _run(operating.rotate_keys(settings, SystemClock(), wait, show))
    if as_json:
        _print_json(
            {
                "epoch": result.epoch,
                "resumed": result.resumed,
                "rewrapped": result.rewrapped,
                "destroyed": list(result.destroyed),
                "waitingFor": list(result.waiting_for),
            }
        )
    else:
        verb = "finished the interrupted rotation to" if result.resumed else "began"
        destroyed = ", ".join(map(str, result.destroyed)) or "none"
        out.print(
            f"{verb.capitalize()} epoch {result.epoch}; {result.rewrapped} data keys rewrapped; "
            f"epochs destroyed: {destroyed}.",
            highlight=False,
        )
    if result.waiting_for:
        err.print(
            f"{len(result.waiting_for)} serving process(es) have not followed yet; older keys are "
            "kept. Run this again.",
            highlight=False,
        )
        raise typer.Exit(EXIT_INCOMPLETE)


def _member[E: Enum](kind: type[E], name: str, option: str) -> E:
    """The member that an option names."""
    if name not in kind.__members__:
        known = ", ".join(kind.__members__)
        raise typer.BadParameter(f"{name!r} is none of {known}", param_hint=option)
    return kind[name]


def _start() -> None:
    configure()
    disable_core_dumps()


def _settings() -> Settings:
    try:
        return Settings()
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            name = "_".join(str(part) for part in problem["loc"]).upper()
            err.print(f"CONSENT_REGISTRY_{name}: {problem['msg']}", highlight=False, markup=False)
        raise typer.Exit(EXIT_USAGE) from None


def _run[T](work: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(work)
    except (RegistryError, ConsentError) as error:
        _fail(str(error) or type(error).__name__)


def _fail(message: str) -> NoReturn:
    err.print(message, style="red", highlight=False, markup=False)
    raise typer.Exit(EXIT_ERROR) from None


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")


if __name__ == "__main__":
    main()
