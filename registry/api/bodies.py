"""How much a request may carry before it is known who sends it.

A screening's block is megabytes, a registration is 14 kilobytes. Who shows no builder's token can
not make the server hold more than a few of the latter, however many connections are opened.
"""

from starlette.datastructures import Headers
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from registry.errors import StoreError, Unauthenticated
from registry.metrics import OTHER
from registry.services.builders import authenticate
from registry.services.running import Registry

# A sealed record is 9,328 bytes, 12,440 as base64; the rest of a registration is 2 kB.
PUBLIC_BODY_BYTES = 65_536

# Where the request's scope holds the builder whose token was looked at: resolvers need not again.
BUILDER = "consent_registry.builder"


class BodyLimits:
    """Lets large bodies in by token only, which is looked at before the body is read.

    Args:
        app: what reads the body.
        registry: knows the builders and the larger limit.
    """

    def __init__(self, app: ASGIApp, registry: Registry) -> None:
        self._registry = registry
        self._public = RequestBodyLimitMiddleware(app, PUBLIC_BODY_BYTES)
        self._builders = RequestBodyLimitMiddleware(app, registry.settings.max_body_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers 413 where the body is too long, and as GraphQL would where the token is wrong."""
        headers = Headers(scope=scope)
        if "authorization" not in headers or _is_short(headers.get("content-length")):
            await self._public(scope, receive, send)
            return
        try:
            scope[BUILDER] = await authenticate(self._registry.store, headers["authorization"])
        except Unauthenticated as error:
            self._registry.metrics.refused(OTHER, error.code)
            problem = {"message": str(error), "extensions": {"code": error.code}}
            await JSONResponse({"data": None, "errors": [problem]})(scope, receive, send)
        except StoreError:
            waiting = JSONResponse({"status": "unavailable"}, 503, {"retry-after": "2"})
            await waiting(scope, receive, send)
        else:
            await self._builders(scope, receive, send)


def _is_short(content_length: str | None) -> bool:
    # Without a length, or with nonsense for one, the body is counted as it comes.
    return (
        content_length is not None
        and content_length.isdecimal()
        and int(content_length) <= PUBLIC_BODY_BYTES
    )
