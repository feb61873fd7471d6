"""Structured logs: a line of JSON per event on standard error, readable lines on a terminal.

Events carry codes, counts and places. No request body, header or address is ever logged, and
nothing of `registry` puts a fingerprint, a token, a key or a signature into an event.

Of an exception only its type and where it came from are logged, ours and the libraries' alike: a
message may repeat a value, and a traceback that shows local variables shows fingerprints.
"""

import asyncio
import logging
import sys
from collections.abc import Iterator
from typing import Any

import structlog

# The innermost calls say where; the outermost are the server's and the same each time.
MAX_PLACES = 8

log = structlog.get_logger(__name__)


def configure(*, verbose: bool = False) -> None:
    """Sets up structlog, and sends the standard library's warnings through it."""
    terminal = sys.stderr.isatty()
    renderer = structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer()
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.DEBUG if verbose else logging.INFO
        ),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _without_values,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    # Our own events pass; libraries are heard from WARNING on.
    logging.getLogger("registry").setLevel(logging.DEBUG if verbose else logging.INFO)


def places(error: BaseException) -> list[str]:
    """Where an exception came from: file, line and function, the innermost last; no values."""
    return list(_places(error))[-MAX_PLACES:]


def note_unhandled(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """The event loop's exception handler: its own would print the exception's message."""
    error = context.get("exception")
    log.error("unhandled in the event loop", what=context.get("message"), exc_info=error)


def _places(error: BaseException) -> Iterator[str]:
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        yield f"{code.co_filename}:{trace.tb_lineno} {code.co_name}"
        trace = trace.tb_next


def _without_values(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    info = event.pop("exc_info", None)
    event.pop("exc_text", None)
    event.pop("stack_info", None)
    error = sys.exc_info()[1] if info is True else info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        event["type"], event["where"] = type(error).__name__, places(error)
    return event
