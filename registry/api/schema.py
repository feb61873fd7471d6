"""The schema, its limits, and the HTTP view of it."""

import json
import re
from collections.abc import Sequence
from typing import Any

import strawberry
from cross_web import HTTPException
from graphql import GraphQLError
from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.extensions import MaskErrors
from strawberry.http import GraphQLHTTPResponse
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.schema import StreamResult
from strawberry.subscriptions import GRAPHQL_SSE_PROTOCOL
from strawberry.types import ExecutionContext, ExecutionResult
from strawberry.types.execution import PreExecutionError

from registry.api import counting, masking, problems
from registry.api.context import Context
from registry.api.limits import EXTENSIONS, MAX_QUERY_CHARACTERS
from registry.api.log import Subscription
from registry.api.mutations import Mutation
from registry.api.queries import Query
from registry.api.scalars import SCALARS
from registry.services.running import Registry

# A name in GraphQL (its specification, section 2.1.9), of a length that people would give.
_OPERATION_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")


class Masking(MaskErrors):
    """Every top-level error leaves in our words."""

    def anonymise_error(self, error: GraphQLError) -> GraphQLError:
        """See `api.masking`."""
        return masking.outward(error)


class RegistrySchema(strawberry.Schema):
    """The schema; errors are noted without what was sent."""

    def process_errors(
        self,
        errors: Sequence[GraphQLError],
        execution_context: ExecutionContext | None = None,
    ) -> None:
        """Notes errors before they are masked."""
        for error in errors:
            masking.note(error)
            counting.failed(error, execution_context)

    async def stream(self, *arguments: Any, **named: Any) -> StreamResult:
        """As the library's, where what our parser refuses is an answer as well.

        Where nothing is streamed the library takes an extension's error for an answer; a stream
        would break off without a word.
        """
        return self._answered(await super().stream(*arguments, **named))

    async def _answered(self, stream: StreamResult) -> StreamResult:
        try:
            async for part in stream:
                yield part
        except GraphQLError as error:
            self.process_errors([error])
            yield PreExecutionError(data=None, errors=[error])


SCHEMA = RegistrySchema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    types=[problems.Problem, problems.RetriableProblem],
    extensions=[Masking, *EXTENSIONS, counting.Requests],
    exception_handlers=problems.HANDLERS,
    config=StrawberryConfig(scalar_map=SCALARS, disable_field_suggestions=True),
)


class View(GraphQL[Context, None]):
    """POST only, no batching, no websockets, no uploads."""

    def __init__(self, registry: Registry) -> None:
        super().__init__(
            SCHEMA,
            graphql_ide="graphiql" if registry.settings.development else None,
            allow_queries_via_get=False,
            subscription_protocols=(GRAPHQL_SSE_PROTOCOL,),
        )
        self._registry = registry

    async def get_context(
        self,
        request: Request | WebSocket,
        response: Response | WebSocket,  # noqa: ARG002 (Strawberry's signature)
    ) -> Context:
        """The registry and the request."""
        assert isinstance(request, Request)  # noqa: S101 (no websocket protocol is enabled)
        return Context(self._registry, request)

    async def process_result(
        self, request: Request, result: ExecutionResult
    ) -> GraphQLHTTPResponse:
        """Masks what the extension does not see: errors of the parser, which repeat the query."""
        if result.errors:
            result.errors = [
                error if "code" in (error.extensions or {}) else masking.outward(error)
                for error in result.errors
            ]
        return await super().process_result(request, result)

    def decode_json(self, data: str | bytes) -> object:
        """One request object, whose query text does not carry data.

        Raises:
            HTTPException: 400 where it is not, 413 where it does.
        """
        try:
            request = json.loads(data)
        except (ValueError, RecursionError):
            raise HTTPException(400, "The body is not JSON.") from None
        if not isinstance(request, dict):
            raise HTTPException(400, "The body is one JSON object; there is no batching.")
        query = request.get("query")
        if isinstance(query, str) and len(query) > MAX_QUERY_CHARACTERS:
            raise HTTPException(413, "The query text is too long; put data into variables.")
        # The library repeats a name that it does not find, and fails on what is no text.
        operation = request.get("operationName")
        if operation is not None and not (
            isinstance(operation, str) and _OPERATION_NAME.fullmatch(operation)
        ):
            raise HTTPException(400, "The operation's name is not one.")
        return request

    def encode_json(self, data: object) -> bytes:
        """Compact JSON."""
        return json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode()
