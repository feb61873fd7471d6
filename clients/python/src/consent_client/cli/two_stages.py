"""Screening with a snapshot: the first stage here or on a cluster, and only candidates online.

`consent screen --confirm …`, `consent confirm`, `consent recheck` and `consent report`.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from consent_client.builder import Builder
from consent_client.cli.builders import (
    PATIENCE,
    TOKEN_VARIABLE,
    TokenFileOption,
    chosen_spaces,
    chosen_use,
    given_token,
)
from consent_client.cli.common import (
    EXIT_INCOMPLETE,
    EXIT_MATCHES,
    Common,
    fail,
    may_pass,
    print_json,
    usage,
    with_common,
)
from consent_client.cli.snapshot import (
    EXIT_STALE,
    FolderOption,
    default_folder,
    need_extra,
    verifier_of,
)
from consent_client.errors import ConsentError, OutputError, SnapshotError
from consent_client.protocol.statements import Use

if TYPE_CHECKING:
    from consent_client.screening.asked import Asked
    from consent_client.screening.engines import EngineName
    from consent_client.screening.run import Progress
    from consent_client.screening.stages import TwoStageSummary

EXCLUDED: Final = "EXCLUDE"
SHOWN_ROWS: Final = 20


class Confirming(StrEnum):
    """What becomes of candidates."""

    ONLINE = "online"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Going:
    """How a two-stage screening is run, which decides no verdict.

    Attributes:
        snapshot: folder; None: where `consent snapshot pull` keeps it.
        confirm: what becomes of candidates.
        engine: where the first stage runs.
        token_file: see `given_token`.
        resume: there must be an earlier run.
        restart: forget it.
    """

    snapshot: Path | None
    confirm: Confirming
    engine: "EngineName | None" = None
    token_file: Path | None = None
    resume: bool = False
    restart: bool = False


def run_two_stages(common: Common, asked: "Asked", out: Path, going: Going) -> "TwoStageSummary":
    """Screens, and ends with 5 where the snapshot can not be relied on, 4 where it may go on."""
    need_extra()
    from consent_client.fingerprints.batches import available_cores  # noqa: PLC0415 (extras)
    from consent_client.screening.engines import EngineName, engine_of  # noqa: PLC0415
    from consent_client.screening.stages import screen_shards  # noqa: PLC0415

    name = going.engine or EngineName.LOCAL
    online = going.confirm is Confirming.ONLINE
    if asked.opt_in_spaces and not online:
        usage("--faces needs --confirm online: people are looked for at the registry only")
    if going.resume and not (out / ".consent-screen").is_dir():
        usage(f"--resume: there is no earlier run in {out}")
    token = given_token(going.token_file) if online else ""
    if asked.opt_in_spaces:
        os.environ[TOKEN_VARIABLE] = token  # the worker that saw a face asks about it
    state = common.state()
    verifier = verifier_of(common, state, ask=online)
    folder = going.snapshot or default_folder(state, verifier)
    engine = engine_of(name)
    data = asked.data()
    threads = asked.threads or (available_cores() if name is EngineName.LOCAL else 1)
    with _ended(common), _builder(common, token, online=online) as builder:
        address = common.address(state) if online else ""
        screening = asked.screening(data, folder, verifier.vkey, address, threads)
        summary = screen_shards(
            data,
            screening,
            out,
            builder,
            dataset=asked.dataset,
            keep_unknown=asked.keep_unknown,
            restart=going.restart,
            engine=engine,
            on_progress=_shown(common, "looked through", "shards"),
            on_confirm=_shown(common, "confirmed", "candidates"),
        )
    asked.save(out)
    return summary


def run_and_tell(common: Common, asked: "Asked", out: Path, going: Going) -> int:
    """As `run_two_stages`, and says what it came to; how many rows are excluded."""
    summary = run_two_stages(common, asked, out, going)
    tell(common, summary, out)
    return summary.excluded


@contextmanager
def _ended(common: Common) -> Iterator[None]:
    try:
        yield
    except SnapshotError as error:
        fail(common, error, EXIT_STALE)
    except ConsentError as error:
        if may_pass(error):
            common.note("What was done is kept: run the same command again to go on.")
            fail(common, error, EXIT_INCOMPLETE)
        raise


@contextmanager
def _builder(common: Common, token: str, *, online: bool) -> Iterator[Builder | None]:
    if not online:
        yield None
        return
    with Builder(
        common.address(common.state()),
        token=token,
        insecure_http=common.insecure_http,
        patience=PATIENCE,
        on_wait=common.on_wait,
    ) as builder:
        yield builder


def _shown(common: Common, done: str, what: str) -> Any:
    def show(at: "Progress") -> None:
        if at.done:
            common.note(f"{done} {at.done} of {at.total} {what}")

    return show


def tell(common: Common, summary: "TwoStageSummary", out: Path) -> None:
    """Says what a screening came to."""
    if common.as_json:
        print_json({**asdict(summary), "out": str(out)})
        return
    counts = summary.verdicts
    common.say(
        f"{summary.rows} screened for {summary.use} with snapshot {summary.serial} "
        f"(log size {summary.log_size}): {counts['exclude']} excluded, {counts['permit']} "
        f"permitted, {counts['clear']} clear, {counts['unknown']} unknown "
        f"({'kept all the same' if summary.unknown_kept else 'dropped'})."
    )
    common.say(
        f"{summary.candidates} candidates, {summary.confirmed} confirmed by the registry. Checked "
        f"in {', '.join(summary.spaces)}; required: {', '.join(summary.required_spaces) or 'any'}."
    )
    for reason, count in summary.why.items():
        common.say(f"  {reason}: {count}")
    common.say(
        f"{summary.kept_rows} rows kept in {out / 'kept'}; the others are listed in "
        f"{out / 'exclusions.parquet'}."
    )


@with_common
def confirm(
    common: Common,
    results: Annotated[
        Path,
        typer.Argument(
            help="Results of a first stage: the --out of consent screen --confirm none, or a "
            "folder of Parquet files that screen_batch made in some engine."
        ),
    ],
    *,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for confirmed results, where RESULTS are an engine's."),
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="The data set's name, where RESULTS are an engine's.")
    ] = None,
    use: Annotated[
        str | None, typer.Option(help="What the first stage asked for, likewise.")
    ] = None,
    require: Annotated[
        str | None,
        typer.Option(metavar="SPACES", help="What the first stage required, likewise."),
    ] = None,
    snapshot: FolderOption = None,
    token_file: TokenFileOption = None,
    fail_on_match: Annotated[
        bool, typer.Option("--fail-on-match", help="End with 3 where anything is excluded.")
    ] = False,
) -> None:
    """Ask the registry about the candidates of a first stage, all in one session.

    Interrupted, the same command goes on where it was: what was answered is not asked again. Of
    consent screen's own folder the kept set is written anew; of an engine's results each file is
    written to --out with final verdicts.
    """
    need_extra()
    from consent_client.screening.asked import Asked  # noqa: PLC0415 (extras)

    asked = Asked.load(results)
    if asked is not None:
        if out or dataset or use or require:
            usage(f"{results} says itself what was asked: leave --out, --dataset, --use, --require")
        going = Going(snapshot, Confirming.ONLINE, token_file=token_file)
        excluded = run_and_tell(common, asked, results, going)
    else:
        if out is None or dataset is None or use is None or require is None:
            usage("of an engine's results, say --out, --dataset, --use and --require")
        spaces = chosen_spaces("--require", require) or ()
        excluded = _confirm_files(
            common, results, out, dataset, chosen_use(use), spaces, token_file
        )
    if fail_on_match and excluded:
        raise typer.Exit(EXIT_MATCHES)


def _confirm_files(
    common: Common,
    results: Path,
    out: Path,
    dataset: str,
    use: Use,
    required: tuple[str, ...],
    token_file: Path | None,
) -> int:
    from consent_client.screening.confirming import write_confirmed  # noqa: PLC0415 (extras)

    with _ended(common), _builder(common, given_token(token_file), online=True) as builder:
        if builder is None:
            raise AssertionError
        counts = write_confirmed(
            builder,
            results,
            out,
            dataset=dataset,
            use=use,
            required_spaces=required,
            on_progress=_shown(common, "confirmed", "candidates"),
        )
    if common.as_json:
        print_json({"verdicts": counts, "out": str(out)})
    common.say(
        f"{sum(counts.values())} rows: {counts['exclude']} excluded, {counts['permit']} permitted, "
        f"{counts['clear']} clear, {counts['unknown']} unknown. In {out}."
    )
    return counts["exclude"]


@with_common
def recheck(
    common: Common,
    results: Annotated[Path, typer.Argument(metavar="DIR", help="The --out of consent screen.")],
    *,
    since: Annotated[
        int | None,
        typer.Option(
            metavar="SERIAL",
            help="Only where there is a newer snapshot than this. Default: the one DIR is of.",
        ),
    ] = None,
    snapshot: FolderOption = None,
    confirm: Annotated[
        Confirming, typer.Option(help="What becomes of candidates.")
    ] = Confirming.ONLINE,
    engine: Annotated[str, typer.Option(help="local, ray or spark.")] = "local",
    token_file: TokenFileOption = None,
    fail_on_match: Annotated[
        bool, typer.Option("--fail-on-match", help="End with 3 where more is excluded than before.")
    ] = False,
) -> None:
    """Screen a data set again with what was registered since, and write its kept set anew.

    Says which rows were kept before and are excluded now. Pictures are fingerprinted again:
    fingerprints of what was clear are not kept.
    """
    need_extra()
    from consent_client.screening.asked import Asked  # noqa: PLC0415 (extras)
    from consent_client.screening.stages import read_two_stage_summary  # noqa: PLC0415

    asked = Asked.load(results)
    before = read_two_stage_summary(results)
    if asked is None or before is None:
        raise OutputError(f"{results} holds no finished screening with a snapshot")
    current = _serial(common, snapshot)
    if current <= (before.serial if since is None else since):
        common.say(f"Nothing was published after snapshot {current}.")
        if common.as_json:
            print_json({"serial": current, "since": before.serial, "rechecked": False})
        return
    earlier = _excluded(results)
    going = Going(snapshot, confirm, engine_name(engine), token_file)
    summary = run_two_stages(common, asked, results, going)
    fresh = sorted(_excluded(results) - earlier)
    if common.as_json:
        told = [{"shard": shard, "key": key} for shard, key in fresh]
        print_json({"serial": current, "since": before.serial, "rechecked": True, "excluded": told})
    else:
        tell(common, summary, results)
        common.say(f"{len(fresh)} rows that were not excluded before are now.")
        for shard, key in fresh[:SHOWN_ROWS]:
            common.say(f"  {shard}: {key}")
    if fail_on_match and fresh:
        raise typer.Exit(EXIT_MATCHES)


@with_common
def report(
    common: Common,
    results: Annotated[Path, typer.Argument(metavar="DIR", help="The --out of consent screen.")],
) -> None:
    """Say what a finished screening came to, from its summary; asks nobody."""
    path = results / "summary.json"
    try:
        value = json.loads(path.read_bytes())
        if not isinstance(value, dict):
            raise TypeError  # noqa: TRY301
    except (OSError, ValueError, TypeError, RecursionError):
        raise OutputError(f"{results} holds no finished screening") from None
    if "serial" not in value:
        print_json(value) if common.as_json else _tell_plain(common, value)
        return
    need_extra()
    from consent_client.screening.stages import read_two_stage_summary  # noqa: PLC0415 (extras)

    summary = read_two_stage_summary(results)
    if summary is not None:
        tell(common, summary, results)


def _tell_plain(common: Common, value: dict[str, Any]) -> None:
    for name in ("dataset", "use", "registry", "candidates", "verdicts", "kept_rows"):
        common.say(f"{name}: {value.get(name)}")


def _serial(common: Common, folder: Path | None) -> int:
    from consent_client.snapshots.pulling import open_snapshot  # noqa: PLC0415 (extras)

    state = common.state()
    verifier = verifier_of(common, state, ask=False)
    try:
        return open_snapshot(folder or default_folder(state, verifier), verifier).manifest.serial
    except SnapshotError as error:
        fail(common, error, EXIT_STALE)


def engine_name(name: str) -> "EngineName":
    """The engine of this name."""
    need_extra()
    from consent_client.screening.engines import EngineName  # noqa: PLC0415 (extras)

    try:
        return EngineName(name)
    except ValueError:
        usage("--engine is local, ray or spark")


def _excluded(results: Path) -> set[tuple[str, str]]:
    from consent_client.adapters.parquet import arrow  # noqa: PLC0415 (extras)

    pa, parquet = arrow()
    path = results / "exclusions.parquet"
    try:
        rows = parquet.read_table(path, columns=["shard", "key", "verdict"]).to_pylist()
    except (OSError, pa.ArrowException):
        raise OutputError(f"{path} can not be read") from None
    return {(row["shard"], str(row["key"])) for row in rows if row["verdict"] == EXCLUDED}
