"""The Starlette application: GraphQL, the published log, the page, and two operator's questions."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from registry.api.bodies import BodyLimits
from registry.api.schema import View
from registry.log_files import log_file
from registry.services.clock import Clock, SystemClock
from registry.services.running import Registry, running
from registry.settings import Settings
from registry.snapshot_files import snapshot_file
from registry.tlog.storage import FolderStorage, LogStorage
from registry.web import page_routes

log = structlog.get_logger(__name__)


def create_app(settings: Settings | None = None, clock: Clock | None = None) -> Starlette:
    """The application; the registry itself is opened at start and closed at the end.

    Args:
        settings: from the environment unless given.
        clock: the machine's own unless given.
    """
    settings = settings or Settings()
    served = _Served()

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with running(settings, clock or SystemClock()) as registry:
            served.open(registry)
            log.info("serving", origin=settings.origin, embedded=settings.is_embedded)
            yield

    application = Starlette(
        routes=[
            Route(
                "/graphql", served, methods=["GET", "POST"] if settings.development else ["POST"]
            ),
            Route("/log/{path:path}", _log_file(FolderStorage(settings.log_dir))),
            Route("/snapshots/{path:path}", _snapshot_file(settings.snapshot_dir)),
            Route("/health", _health),
            Route("/ready", served.ready),
            *page_routes(),
        ],
        lifespan=lifespan,
    )
    # Behind a proxy a redirect would name http: the client would send its token in the clear.
    application.router.redirect_slashes = False
    return application


def _log_file(storage: LogStorage) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        return await log_file(request, storage)

    return serve


def _snapshot_file(folder: Path) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        return await snapshot_file(request, folder)

    return serve


class _Served:
    """The GraphQL view, which exists only while the registry runs."""

    def __init__(self) -> None:
        self._registry: Registry | None = None
        self._view: BodyLimits | None = None

    def open(self, registry: Registry) -> None:
        self._registry, self._view = registry, BodyLimits(View(registry), registry)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._view is None:  # pragma: no cover (servers start the lifespan before requests)
            await JSONResponse({"status": "starting"}, 503)(scope, receive, send)
            return
        await self._view(scope, receive, send)

    async def ready(self, _: Request) -> JSONResponse:
        """200 when screenings are answered, 503 while the log is replayed or if it is corrupt."""
        ready = self._registry is not None and self._registry.ready
        return JSONResponse({"ready": ready}, 200 if ready else 503)


async def _health(_: Request) -> JSONResponse:
    """The process answers."""
    return JSONResponse({"status": "ok"})
