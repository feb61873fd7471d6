"""`consent-registry space`: what an operator does once for a space of their own."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, NoReturn

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console

from consent_client.errors import BadSpaceFile
from consent_client.protocol.own_spaces import read_space_file, with_coding
from consent_client.space_files import read_own_space
from registry.errors import ConfigurationError, RegistryError
from registry.space_fitting import BITS, Fitted, fit

EXIT_ERROR = 1

app = typer.Typer(no_args_is_help=True, help="Fingerprint spaces of your own.")
out = Console()
err = Console(stderr=True)


@app.callback()
def _several() -> None:
    """Keeps the command's name, of which there is one."""


@app.command(
    "fit",
    epilog="Example: consent-registry space fit clip.json --embeddings public.npy --out spaces/",
)
def fit_command(
    space_file: Annotated[Path, typer.Argument(metavar="SPACE.json", help="The space file.")],
    *,
    embeddings: Annotated[
        Path,
        typer.Option(
            help="Vectors of public pictures, none of them registered: float[n, dimension], at "
            "least 2,000 and four for each dimension."
        ),
    ],
    folder: Annotated[Path, typer.Option("--out", help="Folder for what is written.")],
    pairs: Annotated[
        Path | None,
        typer.Option(
            help="Vectors of pictures and their edited copies, float[m, 2, dimension], by which "
            "the radius is chosen. Default: pairs made of the sample, at the very threshold."
        ),
    ] = None,
    bits: Annotated[int, typer.Option(min=16, max=2048, help="Bits of a code.")] = BITS,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Fit the coding by which a space of your own comes into snapshots.

    In --out come to lie the space file that names it, <id>.npz, which builders need beside it, and
    <id>.public.npz, which publishing looks at. A space file with another coding is another
    definition: give it to everybody before the registry uses it.
    """
    try:
        own = read_own_space(space_file)
        given = None if pairs is None else _array(pairs)
        fitted = fit(replace(own.file, coding=None), _array(embeddings), given, bits)
        text = with_coding(space_file.read_bytes(), fitted.described())
        _write(folder, own.file.id, text, fitted)
    except (BadSpaceFile, RegistryError) as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}")
    told = {"id": own.file.id, "definition": read_space_file(text).definition}
    if as_json:
        sys.stdout.write(json.dumps(told | _measured(fitted)) + "\n")
        return
    how = "edits that you gave" if fitted.edits else "pairs made of the sample, at the threshold"
    out.print(
        f"{own.file.id}: {fitted.coding.bits} bits, candidates within {fitted.radius}. Finds "
        f"{fitted.recall:.2%} of {fitted.matching} {how}. Falsely within the radius: "
        f"{fitted.false_pair:.1e} of pairs; with {fitted.compared} records, "
        f"{fitted.false_share:.1%} of other pictures would be candidates.",
        highlight=False,
    )


def _measured(fitted: Fitted) -> dict[str, Any]:
    return {
        "bits": fitted.coding.bits,
        "radius": fitted.radius,
        "recall": fitted.recall,
        "matching": fitted.matching,
        "edits": fitted.edits,
        "falsePair": fitted.false_pair,
        "falseShare": fitted.false_share,
        "compared": fitted.compared,
        "leakage": fitted.leakage,
        "expectedLeakage": fitted.expected_leakage,
        "topShare": fitted.top_share,
    }


def _write(folder: Path, space_id: str, text: bytes, fitted: Fitted) -> None:
    coding, public = fitted.files()
    folder.mkdir(parents=True, exist_ok=True)
    # The space file last: where it is, what it names is there.
    for name, data in (
        (f"{space_id}.npz", coding),
        (f"{space_id}.public.npz", public),
        (f"{space_id}.json", text),
    ):
        fresh = folder / f"{name}.new"
        fresh.write_bytes(data)
        fresh.replace(folder / name)


def _array(path: Path) -> NDArray[Any]:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        message = f"{path} is no whole array."
        raise ConfigurationError(message) from None
    if not isinstance(array, np.ndarray):
        message = f"{path} holds several arrays; one is read."
        raise ConfigurationError(message)
    return array


def _fail(message: str) -> NoReturn:
    err.print(message, style="red", highlight=False, markup=False)
    raise typer.Exit(EXIT_ERROR) from None
