"""What all commands share: options, how they report, and how they end."""

import inspect
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import typer
from rich.console import Console

from consent_client.errors import ConsentError, ImageError, RegistryProblem, Unreachable
from consent_client.state import State, default_state_folder
from consent_client.transport import Waiting

EXIT_ERROR: Final = 1
EXIT_USAGE: Final = 2
EXIT_MATCHES: Final = 3
EXIT_INCOMPLETE: Final = 4

HELP_NAMES: Final = {"help_option_names": ["-h", "--help"]}

out = Console(highlight=False, markup=False, emoji=False)
err = Console(stderr=True, highlight=False, markup=False, emoji=False)

RegistryOption = Annotated[
    str | None,
    typer.Option(
        "--registry",
        envvar="CONSENT_REGISTRY",
        metavar="URL",
        help="The registry's address. Without it: the one used before, if there is just one.",
    ),
]
StateOption = Annotated[
    Path | None,
    typer.Option(
        "--state",
        envvar="CONSENT_STATE",
        metavar="DIR",
        help="Where your phrase and records are kept. Default: your user data folder.",
    ),
]
KeyOption = Annotated[
    str | None,
    typer.Option(
        "--registry-key",
        envvar="CONSENT_REGISTRY_KEY",
        metavar="VKEY",
        help="The registry's verifier key, if you know it; else it is pinned at first use.",
    ),
]
InsecureOption = Annotated[
    bool,
    typer.Option(
        "--insecure-http", help="Allow plain http to another machine. For tests only: not private."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")]


@dataclass(frozen=True, slots=True)
class Common:
    """The options every command has."""

    registry: str | None = None
    state_folder: Path | None = None
    registry_key: str | None = None
    insecure_http: bool = False
    as_json: bool = False

    def state(self) -> State:
        """The state folder.

        Raises:
            StateError: it is not usable.
        """
        return State(self.state_folder or default_state_folder())

    def address(self, state: State | None = None) -> str:
        """The registry's address: the one given, or the only one in the state folder."""
        if self.registry:
            return self.registry
        known = [] if state is None else sorted({each.address for each in state.registries()})
        if len(known) != 1:
            usage(
                "say which registry: --registry URL, or CONSENT_REGISTRY in the environment"
                + (f" (you have used {', '.join(known)})" if known else "")
            )
        return known[0]

    def say(self, text: str = "") -> None:
        """A line for people; nothing with --json."""
        if not self.as_json:
            out.print(shown(text), soft_wrap=True)

    def note(self, text: str) -> None:
        """A line beside the results, also with --json."""
        err.print(shown(text), soft_wrap=True)

    def on_wait(self, waiting: Waiting) -> None:
        """Says why nothing happens for a while."""
        self.note(f"waiting {waiting.seconds:.0f} s: {waiting.reason}")


def shown(text: str) -> str:
    """Text fit for a terminal: names of files may hold what steers it, or is no text at all."""
    return "".join(
        each if each.isprintable() or each == "\n" else each.encode("unicode_escape").decode()
        for each in text
    )


def usage(message: str) -> NoReturn:
    """Ends with a message about how the command was called."""
    raise typer.BadParameter(message)


def print_json(value: object) -> None:
    """One JSON object on standard output."""
    sys.stdout.write(json.dumps(value, indent=1) + "\n")


def with_common(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the common options, as a `Common` for its first parameter.

    They are taken before and after the command's name; after wins.
    """
    shared = {
        "registry": RegistryOption,
        "state": StateOption,
        "registry_key": KeyOption,
        "insecure_http": InsecureOption,
        "as_json": JsonOption,
    }

    @wraps(command)
    def wrapped(ctx: typer.Context, **given: Any) -> None:
        before = ctx.obj if isinstance(ctx.obj, Common) else Common()
        common = Common(
            registry=given.pop("registry") or before.registry,
            state_folder=given.pop("state") or before.state_folder,
            registry_key=given.pop("registry_key") or before.registry_key,
            insecure_http=given.pop("insecure_http") or before.insecure_http,
            as_json=given.pop("as_json") or before.as_json,
        )
        with reported(common):
            command(common, **given)

    own = list(inspect.signature(command).parameters.values())[1:]
    keyword = inspect.Parameter.KEYWORD_ONLY
    context = inspect.Parameter("ctx", keyword, annotation=typer.Context)
    extra = [
        inspect.Parameter(
            name,
            keyword,
            annotation=annotation,
            default=False if annotation in {InsecureOption, JsonOption} else None,
        )
        for name, annotation in shared.items()
    ]
    parameters = [context, *(each.replace(kind=keyword) for each in own), *extra]
    wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {each.name: each.annotation for each in parameters}
    return wrapped


@contextmanager
def reported(common: Common) -> Iterator[None]:
    """Turns errors into a message and an exit code."""
    try:
        yield
    except ConsentError as error:
        fail(common, error)
    except KeyboardInterrupt:
        common.note("Interrupted. Nothing is lost: run the same command again to go on.")
        raise typer.Exit(EXIT_INCOMPLETE) from None


def fail(common: Common, error: ConsentError, status: int = EXIT_ERROR) -> NoReturn:
    """Ends with an error's message."""
    if common.as_json:
        print_json({"error": error_json(error)})
    err.print(shown(f"error: {error}"), style="red", soft_wrap=True)
    raise typer.Exit(status) from None


def error_json(error: ConsentError) -> dict[str, object]:
    """An error for programs."""
    value: dict[str, object] = {"code": error.code, "message": str(error)}
    if isinstance(error, RegistryProblem):
        value["problem"] = error.problem_code
    if isinstance(error, ImageError):
        value["file"] = error.source
    return value


def may_pass(error: ConsentError) -> bool:
    """Whether the same command can succeed later without any change."""
    if isinstance(error, RegistryProblem):
        return error.retry_after is not None
    return isinstance(error, Unreachable)
