"""Failures that a client is meant to handle, as members of each field's result union.

The tree in `registry.errors` is mapped to GraphQL here and nowhere else: services raise, and the
schema's exception handlers turn a refusal into the type of the same name. What is not a member of
a field's union, and everything that is not a refusal, is a top-level error (`api.masking`).
"""

from typing import Any

import strawberry
from strawberry.schema.exception_handlers import ExceptionHandler

from consent_client.errors import ProtocolError
from registry import errors
from registry.api import counting


@strawberry.interface(description="A failure that the request's sender can do something about.")
class Problem:
    """What every problem says."""

    code: str = strawberry.field(description="Stable; decide by it.")
    message: str = strawberry.field(description="For people; may change.")


@strawberry.interface(
    description="Trouble on the registry's side that goes away: send the same again."
)
class RetriableProblem(Problem):
    """What every problem says that goes away by itself."""

    retry_after_seconds: int = strawberry.field(description="Wait at least this long.")


@strawberry.type(description="Bytes, counts or values do not follow the formats.")
class InvalidInput(Problem):
    """See `errors.InvalidInput`."""


@strawberry.type(
    description="The proof of work is missing, wrong, expired or for another record: ask for a "
    "new challenge."
)
class ProofOfWorkRejected(Problem):
    """See `errors.ProofOfWorkRejected`."""


@strawberry.type(description="The owner's signature does not verify.")
class SignatureRejected(Problem):
    """See `errors.SignatureRejected`."""


@strawberry.type(description="There is no such sealing key: fetch the current ones.")
class SealingKeyUnknown(Problem):
    """See `errors.SealingKeyUnknown`."""


@strawberry.type(description="That sealing key has expired: seal again with a current one.")
class SealingKeyExpired(Problem):
    """See `errors.SealingKeyExpired`."""


@strawberry.type(description="The sealed record does not open, or is not the one that was signed.")
class SealRejected(Problem):
    """See `errors.SealRejected`."""


@strawberry.type(description="The same identifier was used before, with other content.")
class Conflict(Problem):
    """See `errors.Conflict`."""


@strawberry.type(
    description="There is no such record, or the signature is wrong: which of the two is not said."
)
class NotYours(Problem):
    """See `errors.NotYours`."""


@strawberry.type(description="This builder has no such screening.")
class UnknownScreening(Problem):
    """See `errors.UnknownScreening`."""


@strawberry.type(description="The screening was closed; open a new one.")
class ScreeningClosed(Problem):
    """See `errors.ScreeningClosed`."""


@strawberry.type(description="The registry holds as many records as its operator allows.")
class RegistryFull(Problem):
    """See `errors.RegistryFull`."""


@strawberry.type(
    description="Fingerprints that resemble so many other pictures that they would stand for those "
    "as well; nothing was stored. Without the spaces named the picture can be registered."
)
class TooGeneric(Problem):
    """See `errors.TooGeneric`."""

    spaces: list[str] = strawberry.field(description="Which spaces they are of.")


@strawberry.type(description="Too much at once; nothing was committed.")
class Busy(RetriableProblem):
    """See `errors.Busy`."""


@strawberry.type(description="The indexes have not reached the log yet; nothing was committed.")
class NotReady(RetriableProblem):
    """See `errors.NotReady`."""


@strawberry.type(
    description="It is written, but not under a published checkpoint yet, so that there is no "
    "proof of it: the same request again gets one."
)
class NotPublished(RetriableProblem):
    """See `errors.NotPublished`."""


# How long a client waits when the database, not the queue, was the bottleneck.
STORE_BUSY_RETRY_SECONDS = 1

_RAISED_AS: dict[type[Problem], tuple[type[Exception], ...]] = {
    # Values of the protocol check themselves when a resolver makes them of its input.
    InvalidInput: (errors.InvalidInput, ProtocolError),
    ProofOfWorkRejected: (errors.ProofOfWorkRejected,),
    SignatureRejected: (errors.SignatureRejected,),
    SealingKeyUnknown: (errors.SealingKeyUnknown,),
    SealingKeyExpired: (errors.SealingKeyExpired,),
    SealRejected: (errors.SealRejected,),
    Conflict: (errors.Conflict,),
    NotYours: (errors.NotYours,),
    UnknownScreening: (errors.UnknownScreening,),
    ScreeningClosed: (errors.ScreeningClosed,),
    RegistryFull: (errors.RegistryFull,),
    TooGeneric: (errors.TooGeneric,),
    Busy: (errors.Busy, errors.StoreBusy),
    NotReady: (errors.NotReady,),
    NotPublished: (errors.NotPublished,),
}


class _Handler:
    """Turns one kind of refusal into the problem of the same name (an `ExceptionHandler`)."""

    def __init__(self, exceptions: tuple[type[Exception], ...], problem: type[Problem]) -> None:
        self.exception_type = exceptions
        self.error_type = problem
        # The problem's own code, whatever was raised: a locked database is `BUSY`, as a full queue.
        self._code = next(e.code for e in exceptions if issubclass(e, errors.RegistryError))

    def handle(self, exception: Exception, *, field: Any, info: Any) -> Problem:  # noqa: ARG002 (Strawberry's signature)
        counting.refused(info, self._code)
        if issubclass(self.error_type, RetriableProblem):
            wait = getattr(exception, "retry_after", STORE_BUSY_RETRY_SECONDS)
            return self.error_type(
                code=self._code, message=str(exception), retry_after_seconds=wait
            )
        if isinstance(exception, errors.TooGeneric):
            spaces = list(exception.spaces)
            return TooGeneric(code=self._code, message=str(exception), spaces=spaces)
        return self.error_type(code=self._code, message=str(exception))


HANDLERS: list[ExceptionHandler[Any]] = [
    _Handler(exceptions, problem) for problem, exceptions in _RAISED_AS.items()
]
