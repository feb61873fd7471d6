"""`consent screen`: leave out of a data set what people have kept out."""

import time
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

import typer
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from consent_client.adapters.columns import ColumnChoice
from consent_client.adapters.opening import Form, Reading, open_source
from consent_client.builder import Builder
from consent_client.cli.builders import (
    PATIENCE,
    TokenFileOption,
    chosen_spaces,
    chosen_use,
    given_token,
)
from consent_client.cli.common import (
    EXIT_INCOMPLETE,
    EXIT_MATCHES,
    Common,
    err,
    fail,
    may_pass,
    print_json,
    usage,
    with_common,
)
from consent_client.cli.faces import FACE_SPACE
from consent_client.cli.models import WITHOUT_SSCD, model_files
from consent_client.cli.two_stages import Confirming, Going, engine_name, run_and_tell
from consent_client.cli.words import USES
from consent_client.errors import ConsentError, ImageError, OutputError
from consent_client.fingerprints.onnx_sessions import Provider
from consent_client.screening.plan import Order
from consent_client.screening.results import EXCLUSIONS_NAME, KEPT_NAME, Summary

if TYPE_CHECKING:
    from consent_client.screening.asked import Asked

FORMATS: Final = (
    "folder, tar, parquet or csv, if not told right; with --confirm also img2dataset, datacomp or "
    "clip-retrieval"
)

LINE_SECONDS: Final = 15.0
"""Where there is no terminal, progress is a line as often as this."""

_SHOWN_TROUBLES = 20


@with_common
def screen(
    common: Common,
    source: Annotated[
        str,
        typer.Argument(
            help="A folder of pictures; .tar (WebDataset), .parquet or .csv files, a folder or a "
            "quoted pattern of them.",
        ),
    ],
    dataset: Annotated[str, typer.Option(help="The data set's name; the registry sees it.")],
    use: Annotated[str, typer.Option(help=f"What it is for: {USES}.")],
    out: Annotated[Path, typer.Option(help="Folder for the results, new or of the same run.")],
    *,
    require: Annotated[
        str | None,
        typer.Option(
            metavar="SPACES",
            help="Comma list (sha256,pdq-1,sscd-1,url-1): what was not checked in all of them is "
            "UNKNOWN. Default: what can be computed here, but pdq-1 not beside sscd-1.",
        ),
    ] = None,
    spaces: Annotated[
        str | None,
        typer.Option(
            metavar="SPACES",
            help="Comma list: compute fingerprints of pictures in these spaces only, which is "
            "faster and finds less. Default: all that can be computed here.",
        ),
    ] = None,
    faces: Annotated[
        bool,
        typer.Option(
            "--faces",
            help="Look for people too who registered their face: any face in a picture counts. "
            "This is biometric processing; needs --lawful-basis and consent-client[face].",
        ),
    ] = False,
    lawful_basis: Annotated[
        bool,
        typer.Option(
            "--lawful-basis",
            help="You state that you may lawfully process biometric data of the people in these "
            "pictures. The registry keeps that you said so.",
        ),
    ] = False,
    keep_unknown: Annotated[
        bool, typer.Option("--keep-unknown", help="Keep what could not be checked.")
    ] = False,
    contest: Annotated[
        bool,
        typer.Option(
            "--contest",
            help="Contest exclusions that rest on resemblance alone, with five crops of each "
            "picture. Leaving them out is always right, and free; contests count against your "
            "organisation's budget. Needs sscd-1.",
        ),
    ] = False,
    certify: Annotated[
        bool,
        typer.Option(
            "--certify",
            help="Commit to the data set before it is screened, and get a certificate that every "
            "kept picture was cleared: certificate.json, shipped.manifest, evidence. Needs "
            "--signing-key and at least 1,000 different pictures.",
        ),
    ] = False,
    signing_key: Annotated[
        Path | None,
        typer.Option(help="File with the key that signs certificates; made if missing (0600)."),
    ] = None,
    fail_on_match: Annotated[
        bool, typer.Option("--fail-on-match", help="End with 3 where anything is excluded.")
    ] = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="Forget an earlier run in --out and begin anew.")
    ] = False,
    token_file: TokenFileOption = None,
    form: Annotated[
        str | None,
        typer.Option("--format", "--form", metavar="FORM", help=f"What SOURCE is: {FORMATS}."),
    ] = None,
    confirm: Annotated[
        Confirming | None,
        typer.Option(
            help="Look at everything with a pulled snapshot first, here, and ask the registry "
            "about candidates only (online) or leave them UNKNOWN (none). Without it the registry "
            "is asked about every row.",
        ),
    ] = None,
    snapshot: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The snapshot's folder, if it is not the pulled one."),
    ] = None,
    engine: Annotated[
        str, typer.Option(help="Where the first stage runs: local, ray or spark.")
    ] = "local",
    provider: Annotated[
        Provider,
        typer.Option(
            help="On what sscd-1 is computed: cuda needs an NVIDIA GPU and onnxruntime-gpu. "
            "Needs --confirm."
        ),
    ] = Provider.CPU,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Only go on with an earlier run in --out. Any run goes on."),
    ] = False,
    opt_out_column: Annotated[
        list[str] | None,
        typer.Option(
            help="Column of a Parquet table with what a site said (X-Robots-Tag, TDMRep, ai.txt): "
            "rows it refuses are excluded. Known names are read anyway. Needs --confirm.",
        ),
    ] = None,
    image_column: Annotated[
        str | None, typer.Option(help="Column with pictures (in CSV: base64).")
    ] = None,
    path_column: Annotated[str | None, typer.Option(help="Column with paths.")] = None,
    url_column: Annotated[
        str | None, typer.Option(help="Column with addresses. They are never fetched.")
    ] = None,
    key_column: Annotated[
        str | None, typer.Option(help="Column with rows' names; :row for row numbers.")
    ] = None,
    path_root: Annotated[
        Path | None, typer.Option(help="Folder that paths are below. Default: the table's.")
    ] = None,
    hardlink: Annotated[
        bool, typer.Option("--hardlink", help="Keep a folder's files as hard links, not copies.")
    ] = False,
    embeddings: Annotated[
        str | None,
        typer.Option(
            metavar="SPACE",
            help="SOURCE is a folder as clip-retrieval writes it, and img_emb/*.npy holds vectors "
            "of this space. That they are of its model is your word.",
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Threads that fingerprint. Default: one per core.")
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model", metavar="NAME=FILE", help="A model file: sscd, or a space of your own."
        ),
    ] = None,
) -> None:
    """Screen a data set and write the part of it that may be kept.

    Fingerprints are computed here and asked about in blocks; pictures stay here. In --out come to
    lie: kept/ in the form of SOURCE, exclusions.parquet (key, verdict, spaces, log_size) and
    summary.json. EXCLUDE: somebody states that this use is not allowed. PERMIT: somebody states
    that it is; statements are not verified, it is no licence. UNKNOWN could not be checked and is
    dropped. Interrupted, the same command goes on where it was.
    """
    if faces != lawful_basis:
        usage(
            "--faces and --lawful-basis go together: looking for people is biometric processing, "
            "and only you can know whether you may"
        )
    if certify != (signing_key is not None):
        usage("--certify and --signing-key go together")
    if certify and (faces or keep_unknown):
        usage("--certify goes with neither --faces nor --keep-unknown: it is about works checked")
    _check_embeddings(embeddings, other=certify or contest or faces or confirm is not None)
    order = Order(
        dataset=dataset,
        use=chosen_use(use),
        required_spaces=chosen_spaces("--require", require),
        spaces=chosen_spaces("--spaces", spaces),
        keep_unknown=keep_unknown,
        contest=contest,
        opt_in_spaces=(FACE_SPACE,) if faces else (),
        lawful_basis_stated=lawful_basis,
        workers=workers,
        model_files=model_files(model or []),
    )
    if confirm is not None:
        if certify or contest or (resume and restart):
            usage(
                "--confirm goes with neither --certify nor --contest, which are about every row; "
                "and --resume not with --restart"
            )
        asked = _asked(
            order,
            source=source,
            form=form,
            image=image_column,
            path=path_column,
            url=url_column,
            key=key_column,
            path_root=None if path_root is None else str(path_root),
            hardlink=hardlink,
            provider=provider.value,
            opt_out=tuple(opt_out_column or ()),
        )
        _check_out(source, out)
        going = Going(snapshot, confirm, engine_name(engine), token_file, resume, restart)
        _end(run_and_tell(common, asked, out, going), fail_on_match=fail_on_match)
        return
    if snapshot is not None or engine != "local" or opt_out_column or provider is not Provider.CPU:
        usage("--snapshot, --engine, --provider, --opt-out-column go with --confirm online or none")
    choice = ColumnChoice(image_column, path_column, url_column, key_column)
    reading = Reading(_form(form), choice, path_root, hardlink, embeddings)
    token = given_token(token_file)
    address = common.address()
    from consent_client.screening.run import screen_source  # noqa: PLC0415 (needs extras)

    screened = screen_source
    if signing_key is not None:
        from consent_client.screening.certified import (  # noqa: PLC0415 (needs extras)
            builder_key,
            certify_source,
        )

        screened = partial(certify_source, key=builder_key(signing_key))
    _check_out(source, out)
    opened = open_source(source, reading)
    with (
        Builder(
            address,
            token=token,
            insecure_http=common.insecure_http,
            patience=PATIENCE,
            on_wait=common.on_wait,
        ) as builder,
        _Shown(common) as shown,
    ):
        try:
            summary = screened(
                builder,
                opened,
                order,
                out,
                restart=restart,
                on_progress=lambda at: shown.progress(at.done, at.total, at.excluded),
                on_trouble=shown.trouble,
            )
        except ConsentError as error:
            if shown.asked and may_pass(error):
                common.note("What was answered is kept: run the same command again to go on.")
                fail(common, error, EXIT_INCOMPLETE)
            raise
    _report(common, summary, out, images=opened.has_images, certified=certify)
    _end(summary.excluded, fail_on_match=fail_on_match)


def _end(excluded: int, *, fail_on_match: bool) -> None:
    if fail_on_match and excluded:
        raise typer.Exit(EXIT_MATCHES)


def _check_embeddings(space_id: str | None, *, other: bool) -> None:
    if space_id is not None and other:
        usage(
            "--embeddings goes with none of --certify, --contest, --faces and --confirm: there are "
            "no files, and the registry is asked about every row"
        )


def _form(name: str | None) -> Form | None:
    if name is None:
        return None
    try:
        return Form(name)
    except ValueError:
        usage(
            f"--format {name} needs --confirm online or none; else it is one of {', '.join(Form)}"
        )


def _asked(order: Order, **reading: Any) -> "Asked":
    """The order, in words that can be kept beside its results."""
    from consent_client.adapters.sharding import Format  # noqa: PLC0415 (needs extras)
    from consent_client.screening.asked import Asked  # noqa: PLC0415

    if reading["form"] not in {None, *Format}:
        usage(f"--format is one of {', '.join(Format)}")
    model = order.model_files.get("sscd-1")
    return Asked(
        dataset=order.dataset,
        use=order.use.cawg,
        required_spaces=order.required_spaces,
        spaces=order.spaces,
        opt_in_spaces=order.opt_in_spaces,
        lawful_basis_stated=order.lawful_basis_stated,
        keep_unknown=order.keep_unknown,
        threads=order.workers,
        sscd_model=None if model is None else str(model),
        **reading,
    )


def _check_out(source: str, out: Path) -> None:
    folder = Path(source)
    if folder.is_dir() and out.resolve().is_relative_to(folder.resolve()):
        raise OutputError(f"{out} lies inside the data set; name a folder outside of it")


def _report(common: Common, summary: Summary, out: Path, *, images: bool, certified: bool) -> None:
    if common.as_json:
        print_json(
            {
                **summary.to_json(),
                "kept": str(out / KEPT_NAME),
                "exclusions": str(out / EXCLUSIONS_NAME),
            }
        )
    else:
        counts = summary.verdicts
        fate = "kept all the same" if summary.unknown_kept else "dropped"
        common.say(
            f"{summary.candidates} screened for {summary.use} at {summary.registry}: "
            f"{counts['exclude']} excluded, {counts['permit']} permitted, {counts['clear']} clear, "
            f"{counts['unknown']} unknown ({fate}; {summary.unreadable} could not be read)."
        )
        common.say(
            f"Checked in {', '.join(summary.spaces)}. {summary.kept_rows} kept in "
            f"{out / KEPT_NAME}; the others are listed in {out / EXCLUSIONS_NAME}."
        )
        if summary.contested is not None:
            common.say(
                f"{summary.contested} exclusions were contested: {summary.overturned} fell, the "
                "others stand."
            )
        if summary.left_out_files:
            common.say(f"{summary.left_out_files} files that belong to no picture were left out.")
    if certified:
        common.note(
            f"The certificate is in {out / 'certificate.json'}, with shipped.manifest and evidence "
            "beside it: see consent certificate show."
        )
    if images and "sscd-1" not in summary.spaces:
        common.note(WITHOUT_SSCD)


class _Shown:
    """Progress: a bar on a terminal, else a line now and then."""

    def __init__(self, common: Common) -> None:
        self._common = common
        self.asked = False
        self._troubles = 0
        self._next_line = time.monotonic() + LINE_SECONDS
        self._bar = Bar(
            TextColumn("screening"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[excluded]} excluded"),
            TimeRemainingColumn(),
            console=err,
            disable=not err.is_terminal,
        )
        self._task = self._bar.add_task("", total=None, excluded=0)

    def progress(self, done: int, total: int, excluded: int) -> None:
        """A block was answered."""
        self.asked = True
        self._bar.update(self._task, completed=done, total=total, excluded=excluded)
        now = time.monotonic()
        if not err.is_terminal and (now >= self._next_line or done == total):
            self._next_line = now + LINE_SECONDS
            self._common.note(f"screened {done} of {total}, {excluded} excluded")

    def trouble(self, error: ImageError) -> None:
        """A picture can not be read."""
        self._troubles += 1
        if self._troubles <= _SHOWN_TROUBLES:
            self._common.note(f"unknown: {error}")
        elif self._troubles == _SHOWN_TROUBLES + 1:
            self._common.note("further unreadable pictures are only counted")

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
