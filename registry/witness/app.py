"""The witness over HTTP: one request, as C2SP tlog-witness has it."""

import asyncio
import contextlib
from collections.abc import Iterable

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from consent_client.errors import BadCheckpoint, BadNote, BadProof, Malformed, StateError
from consent_client.protocol.checkpoints import Checkpoint, open_checkpoint
from consent_client.protocol.cosignatures import WitnessSigner, cosign
from consent_client.protocol.notes import NoteVerifier, split_note
from consent_client.protocol.witnessing import MAX_REQUEST_BYTES, SIZE_TYPE, AddCheckpoint
from registry.errors import CorruptRegistry
from registry.services.clock import Clock
from registry.witness.memory import Memory

log = structlog.get_logger(__name__)


class Witness:
    """Cosigns checkpoints of the logs it knows, one after the other.

    Args:
        signer: the witness's key.
        logs: keys of the logs it witnesses; several of one name are keys of one log.
        memory: what it has seen.
        clock: for the time in cosignatures.
    """

    def __init__(
        self, signer: WitnessSigner, logs: Iterable[NoteVerifier], memory: Memory, clock: Clock
    ) -> None:
        self._signer = signer
        self._logs: dict[str, list[NoteVerifier]] = {}
        for verifier in logs:
            self._logs.setdefault(verifier.name, []).append(verifier)
        self._memory = memory
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()

    async def add_checkpoint(self, request: Request) -> Response:
        """`POST /add-checkpoint`."""
        try:
            asked = AddCheckpoint.parse(await _text(request))
            origin = Checkpoint.parse(split_note(asked.note)[0]).origin
        except (Malformed, BadNote, BadCheckpoint) as error:
            return PlainTextResponse(f"{error}\n", 400)
        if origin not in self._logs:
            return PlainTextResponse("this witness does not know this log\n", 404)
        checkpoint = _opened(asked.note, self._logs[origin])
        if checkpoint is None:
            return PlainTextResponse("no key of this log signed the checkpoint\n", 403)
        async with self._one_at_a_time:
            return await asyncio.to_thread(self._consider, asked, checkpoint)

    def _consider(self, asked: AddCheckpoint, checkpoint: Checkpoint) -> Response:
        try:
            with self._memory.turn():
                return self._in_turn(asked, checkpoint)
        except (CorruptRegistry, StateError) as error:
            log.critical("this witness can not use its memory", reason=str(error))
            return PlainTextResponse("this witness can not answer at the moment\n", 503)

    def _in_turn(self, asked: AddCheckpoint, checkpoint: Checkpoint) -> Response:
        """The answer. Signed in turn too: at the time it says, no larger tree was seen."""
        seen = self._memory.recall(checkpoint.origin)
        if asked.old_size > checkpoint.size:
            return PlainTextResponse("the proof is from beyond the checkpoint\n", 400)
        if asked.old_size != seen.size:
            return Response(f"{seen.size}\n", 409, {"content-type": SIZE_TYPE})
        try:
            grown = seen.grown(checkpoint, asked.proof)
        except BadProof as error:
            log.warning("a log did not show that it only grew", origin=checkpoint.origin)
            forked = asked.old_size == checkpoint.size and checkpoint.root != seen.root
            return PlainTextResponse(f"{error}\n", 409 if forked else 422)
        if grown != seen:
            self._memory.remember(checkpoint.origin, grown)
        text = split_note(asked.note)[0]
        return PlainTextResponse(cosign(text, self._signer, int(self._clock.now())).line)


def _opened(note: str, verifiers: Iterable[NoteVerifier]) -> Checkpoint | None:
    """The checkpoint, if one of these keys signed it."""
    for verifier in verifiers:
        with contextlib.suppress(BadNote):
            return open_checkpoint(note, verifier)
    return None


async def _text(request: Request) -> str:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_REQUEST_BYTES:
            raise Malformed("a request that is too long")
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise Malformed("a request that is not UTF-8") from None


def create_witness(witness: Witness) -> Starlette:
    """The application."""
    return Starlette(routes=[Route("/add-checkpoint", witness.add_checkpoint, methods=["POST"])])
