"""Structured logs: a line of JSON per event on standard error, readable lines on a terminal.

Events carry codes, counts and places. No request body, header or address is ever logged, and
nothing of `registry` puts a fingerprint, a token, a key or a signature into an event.
"""

import logging
import sys

import structlog


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
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    # Our own events pass; libraries are heard from WARNING on. Alembic says what it migrates.
    logging.getLogger("registry").setLevel(logging.DEBUG if verbose else logging.INFO)
    logging.getLogger("alembic.runtime.migration").setLevel(logging.INFO)
