"""What the outside hears of an error that is no `Problem`, and what the log does.

GraphQL's own messages repeat the input: a coercion error would put a whole sealed record into the
answer and into the log. So no message of the library leaves, and none is logged; what leaves is
one of a few codes with a sentence of ours. Errors of parsing and validation are no exception.
"""

import structlog
from graphql import FieldNode, GraphQLError

from registry.errors import AccessError, CorruptRegistry, NotReady, RegistryError, StoreError
from registry.logs import places

log = structlog.get_logger(__name__)

BAD_REQUEST = "BAD_REQUEST"
INTERNAL = "INTERNAL"
UNAVAILABLE = "UNAVAILABLE"

_BAD_REQUEST = "The request does not fit the schema or its limits; see schema.graphql."
_INTERNAL = "Something went wrong here. It was noted, without what you sent."
_UNAVAILABLE = "The registry can not answer at the moment; please try again."


def outward(error: GraphQLError) -> GraphQLError:
    """The error as it is answered: code, our sentence, path; nothing of the input."""
    cause = error.original_error
    extensions: dict[str, object]
    match cause:
        case AccessError():
            message, extensions = str(cause), {"code": cause.code}
            if cause.retry_after is not None:
                extensions["retryAfterSeconds"] = cause.retry_after
        case CorruptRegistry() | StoreError() | NotReady():
            message, extensions = _UNAVAILABLE, {"code": UNAVAILABLE, "retryAfterSeconds": 5}
        case _ if _is_the_requests_fault(error):
            message, extensions = _BAD_REQUEST, {"code": BAD_REQUEST}
        case _:
            message, extensions = _INTERNAL, {"code": INTERNAL}
    return GraphQLError(message, path=error.path, extensions=extensions)


def note(error: GraphQLError) -> None:
    """Logs what the operator needs: where and of which type, never what was sent."""
    cause = error.original_error
    field = field_of(error)
    if isinstance(cause, RegistryError):
        log.info("refused", code=cause.code, field=field)
    elif _is_the_requests_fault(error):
        log.info("refused", code=BAD_REQUEST)
    else:
        # The exception's message may hold a value, so only its type and place are noted.
        where = places(cause) if cause else []
        log.error("internal error", type=type(cause).__name__, field=field, where=where)


def field_of(error: GraphQLError) -> str:
    """The field's name in the schema. The path would hold aliases: words of the client's choice."""
    node = error.nodes[0] if error.nodes and error.path else None
    return node.name.value if isinstance(node, FieldNode) else ""


def _is_the_requests_fault(error: GraphQLError) -> bool:
    # Parsing, validation and variable coercion happen before any resolver runs: no path. Argument
    # coercion has a path, but its cause is none or GraphQL's own.
    cause = error.original_error
    return cause is None or isinstance(cause, GraphQLError)
