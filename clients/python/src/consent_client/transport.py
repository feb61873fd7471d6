"""HTTP to a registry: one operation per request, sent again while that can help.

`Connection` and `AsyncConnection` share everything but the waiting. What is tried again, and for
how long, is said by `Patience`:

- *faults*: no connection, no answer in time, a 5xx or 429, or a Problem that names a time to wait:
  some tries, with jitter between them;
- *throttling* (`RATE_LIMITED`, `HELD`): as long as the registry says, up to a total.

Anything else, `CONFLICT` for instance, is raised at once. Repeating is safe: the same registration,
withdrawal or block gets the same answer.
"""

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import httpx
from tenacity import AsyncRetrying, RetryCallState, Retrying, retry_if_exception

from consent_client.addresses import registry_address
from consent_client.errors import ConsentError, RegistryProblem, TransportError, Unreachable
from consent_client.operations import Operation

MAX_ANSWER_BYTES: Final = 32 * 2**20
"""A page of log entries takes a few megabytes; what is longer is no answer of a registry."""

TIMEOUT: Final = httpx.Timeout(60.0, connect=10.0)
"""Seconds. A block of 10,000 images is uploaded, matched and answered well within the first."""

USER_AGENT: Final = "consent-client"
"""The same for everyone: a version or a platform would help to tell people apart."""

FIRST_WAIT_SECONDS: Final = 0.5
LONGEST_WAIT_SECONDS: Final = 30.0
JITTER_SECONDS: Final = 1.0
"""Clients that were turned away together do not come back together."""

_THROTTLED: Final = frozenset({"RATE_LIMITED", "HELD"})
_OK = 200
_TOO_MANY_REQUESTS = 429
_SERVER_ERRORS = 500

_log = logging.getLogger(__name__)
_random = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a connection keeps trying.

    Attributes:
        tries: requests sent in all while there are faults.
        throttled_seconds: how long to wait in all where the registry limits the rate.
    """

    tries: int = 5
    throttled_seconds: float = 4 * 3600.0


DEFAULT_PATIENCE: Final = Patience()


@dataclass(frozen=True, slots=True)
class Waiting:
    """Told before each wait.

    Attributes:
        seconds: how long.
        reason: for people.
    """

    seconds: float
    reason: str


def _is_throttled(error: BaseException | None) -> bool:
    return isinstance(error, RegistryProblem) and error.problem_code in _THROTTLED


def _may_pass(error: BaseException) -> bool:
    if isinstance(error, RegistryProblem):
        return error.retry_after is not None
    return isinstance(error, Unreachable)


def _error_of(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome is not None else None


class _Schedule:
    """When one operation is tried again, and when no more."""

    def __init__(self, patience: Patience, on_wait: Callable[[Waiting], None] | None) -> None:
        self._patience = patience
        self._on_wait = on_wait
        self._faults = 0
        self._throttled = 0.0

    def stop(self, state: RetryCallState) -> bool:
        """Counts what happened, and says whether to give up."""
        error = _error_of(state)
        if _is_throttled(error):
            self._throttled += max(1, getattr(error, "retry_after", None) or 0)
            return self._throttled > self._patience.throttled_seconds
        self._faults += 1
        return self._faults >= self._patience.tries

    def wait(self, state: RetryCallState) -> float:
        """Seconds until the next try."""
        asked = getattr(_error_of(state), "retry_after", None)
        doubling = FIRST_WAIT_SECONDS * 2 ** max(0, self._faults - 1)
        least = min(doubling, LONGEST_WAIT_SECONDS) if asked is None else float(asked)
        if not _is_throttled(_error_of(state)):
            least = min(least, LONGEST_WAIT_SECONDS)
        return least + _random.uniform(0, JITTER_SECONDS)

    def tell(self, state: RetryCallState) -> None:
        """Says why there is a wait."""
        error = _error_of(state)
        seconds = state.next_action.sleep if state.next_action is not None else 0.0
        _log.info("waiting %.1f s: %s", seconds, getattr(error, "code", ""))
        if self._on_wait is not None:
            self._on_wait(Waiting(seconds, str(error)))


class _Endpoint:
    """What both connections know of a registry."""

    def __init__(self, address: str, token: str | None, *, insecure_http: bool) -> None:
        self.address = registry_address(address, insecure_http=insecure_http)
        self.url = f"{self.address}/graphql"
        self.headers = {
            "User-Agent": USER_AGENT,
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
        }
        if token is not None:
            self.headers["Authorization"] = f"Bearer {checked_token(token)}"

    def __repr__(self) -> str:
        return f"_Endpoint({self.address!r})"


def checked_token(token: str) -> str:
    """A builder's token fit for a header; the error does not repeat it.

    Raises:
        TransportError: empty, not ASCII, or with white space inside.
    """
    trimmed = token.strip()
    if not trimmed or not trimmed.isascii() or not trimmed.isprintable() or " " in trimmed:
        raise TransportError("the builder's token is not one: it looks like crb_…")
    return trimmed


def _fault(error: httpx.HTTPError | httpx.InvalidURL) -> ConsentError:
    """The typed error for httpx's, which would carry the whole request along."""
    if isinstance(error, httpx.TimeoutException):
        return Unreachable("the registry did not answer in time")
    if isinstance(error, httpx.ConnectError):
        return Unreachable("the registry can not be reached: no connection")
    if isinstance(error, httpx.TransportError) and not isinstance(
        error, httpx.UnsupportedProtocol | httpx.ProxyError
    ):
        return Unreachable("the connection to the registry broke off")
    return TransportError(f"the request could not be sent ({type(error).__name__})")


def _check_status(response: httpx.Response, body: bytes) -> None:
    status = response.status_code
    if status == _OK:
        return
    if body.lstrip().startswith(b"{") and b'"errors"' in body:
        return  # GraphQL says itself what is wrong
    if status == _TOO_MANY_REQUESTS or status >= _SERVER_ERRORS:
        asked = response.headers.get("Retry-After", "")
        raise Unreachable(
            f"the registry answered with HTTP status {status}",
            int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 6 else None,  # noqa: PLR2004
        )
    raise TransportError(f"the registry answered with HTTP status {status}: is this its address?")


def _grown(body: bytearray, chunk: bytes) -> None:
    body += chunk
    if len(body) > MAX_ANSWER_BYTES:
        raise TransportError("the registry's answer is too long")


class Connection:
    """A connection to one registry; close it, or use it in a `with`.

    Args:
        address: the registry's base address.
        token: a builder's token, or None.
        insecure_http: take plain http to other machines too.
        patience: how long to keep trying.
        on_wait: told before each wait.

    Raises:
        TransportError: a bad address or token. InsecureRegistry: plain http to another machine.
    """

    def __init__(
        self,
        address: str,
        *,
        token: str | None = None,
        insecure_http: bool = False,
        patience: Patience = DEFAULT_PATIENCE,
        on_wait: Callable[[Waiting], None] | None = None,
    ) -> None:
        self._endpoint = _Endpoint(address, token, insecure_http=insecure_http)
        self._patience = patience
        self._on_wait = on_wait
        self._http = httpx.Client(headers=self._endpoint.headers, timeout=TIMEOUT)

    @property
    def address(self) -> str:
        """The registry's base address."""
        return self._endpoint.address

    def run[T](self, operation: Operation[T]) -> T:
        """Sends an operation until it is answered or patience ends.

        Raises:
            RegistryProblem: the registry refused, or its limits outlast our patience.
            TransportError: it could not be reached, or answered nonsense.
        """
        schedule = _Schedule(self._patience, self._on_wait)
        for attempt in Retrying(
            stop=schedule.stop,
            wait=schedule.wait,
            retry=retry_if_exception(_may_pass),
            before_sleep=schedule.tell,
            reraise=True,
        ):
            with attempt:
                return operation.result(self._post(operation.body()))
        raise AssertionError("tenacity either returns or raises")

    def _post(self, content: bytes) -> bytes:
        body = bytearray()
        try:
            with self._http.stream("POST", self._endpoint.url, content=content) as response:
                for chunk in response.iter_bytes():
                    _grown(body, chunk)
            fault = None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            fault = _fault(error)
        if fault is not None:  # outside the handler: the request must not hang on to the error
            raise fault
        _check_status(response, bytes(body))
        return bytes(body)

    def close(self) -> None:
        """Closes the connection."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class AsyncConnection:
    """As `Connection`, for asyncio."""

    def __init__(
        self,
        address: str,
        *,
        token: str | None = None,
        insecure_http: bool = False,
        patience: Patience = DEFAULT_PATIENCE,
        on_wait: Callable[[Waiting], None] | None = None,
    ) -> None:
        self._endpoint = _Endpoint(address, token, insecure_http=insecure_http)
        self._patience = patience
        self._on_wait = on_wait
        self._http = httpx.AsyncClient(headers=self._endpoint.headers, timeout=TIMEOUT)

    @property
    def address(self) -> str:
        """The registry's base address."""
        return self._endpoint.address

    async def run[T](self, operation: Operation[T]) -> T:
        """As `Connection.run`."""
        schedule = _Schedule(self._patience, self._on_wait)
        async for attempt in AsyncRetrying(
            stop=schedule.stop,
            wait=schedule.wait,
            retry=retry_if_exception(_may_pass),
            before_sleep=schedule.tell,
            reraise=True,
        ):
            with attempt:
                return operation.result(await self._post(operation.body()))
        raise AssertionError("tenacity either returns or raises")

    async def _post(self, content: bytes) -> bytes:
        body = bytearray()
        try:
            async with self._http.stream("POST", self._endpoint.url, content=content) as response:
                async for chunk in response.aiter_bytes():
                    _grown(body, chunk)
            fault = None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            fault = _fault(error)
        if fault is not None:
            raise fault
        _check_status(response, bytes(body))
        return bytes(body)

    async def aclose(self) -> None:
        """Closes the connection."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()
