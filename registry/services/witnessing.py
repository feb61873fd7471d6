"""Asking witnesses to cosign a checkpoint before it is published (C2SP tlog-witness).

A witness that does not answer in time, or answers wrongly, is left out: the log goes on, its
checkpoint carries fewer cosignatures, and whoever asks for a quorum sees that it is missing.
Nothing is sent to a witness but what is published.
"""

import asyncio
from pathlib import Path

import httpx
import structlog

from consent_client.errors import BadNote, BadPolicy, Malformed, ProtocolError
from consent_client.protocol.checkpoints import Checkpoint, decimal
from consent_client.protocol.cosignatures import WitnessVerifier, verify_cosignature
from consent_client.protocol.merkle import Nodes, consistency_proof
from consent_client.protocol.notes import NoteSignature, add_signature, split_note
from consent_client.protocol.policies import Policy, PolicyWitness, parse_policy, vouch
from consent_client.protocol.witnessing import SIZE_TYPE, AddCheckpoint
from registry.errors import ConfigurationError

log = structlog.get_logger(__name__)

# All answers together; registrants wait for them.
PATIENCE_SECONDS = 3.0

# A cosignature is a line of some hundred characters; one with ML-DSA-44 has three thousand.
MAX_ANSWER_BYTES = 8_192

_PLAIN = {"accept-encoding": "identity"}


class Witnesses:
    """The witnesses of a policy that have an address.

    Args:
        policy: whom to ask.
        patience_seconds: for all of them together.
    """

    def __init__(self, policy: Policy, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._policy = policy
        self._witnesses = [each for each in policy.witnesses.values() if each.url]
        self._patience_seconds = patience_seconds
        self._sizes: dict[str, int] = {}

    async def cosign(self, note: str, nodes: Nodes) -> str:
        """The note with the cosignatures of those that gave one.

        Args:
            note: a checkpoint, signed by the log.
            nodes: of its tree.
        """
        checkpoint = Checkpoint.parse(split_note(note)[0])
        timeout = httpx.Timeout(self._patience_seconds)
        # Without the environment's proxies: where witnesses are is said in the policy.
        async with httpx.AsyncClient(timeout=timeout, trust_env=False) as client:
            asked = [
                asyncio.create_task(self._ask(client, witness, checkpoint, note, nodes))
                for witness in self._witnesses
            ]
            if asked:
                await asyncio.wait(asked, timeout=self._patience_seconds)
        for task in asked:
            if not task.done():
                task.cancel()
        for signature in await asyncio.gather(*asked, return_exceptions=True):
            if isinstance(signature, NoteSignature):
                try:
                    note = add_signature(note, signature)
                except BadNote:
                    log.warning("a note holds no more cosignatures", witness=signature.name)
        vouched = vouch(self._policy, note)
        if not vouched.satisfied:
            log.warning(
                "a checkpoint without its quorum",
                size=checkpoint.size,
                cosignatures=len(vouched.cosignatures),
            )
        return note

    async def _ask(
        self,
        client: httpx.AsyncClient,
        witness: PolicyWitness,
        checkpoint: Checkpoint,
        note: str,
        nodes: Nodes,
    ) -> NoteSignature | None:
        name = witness.verifier.name
        try:
            status, answer = await self._post(client, witness, checkpoint, note, nodes)
            if status == httpx.codes.CONFLICT:  # it knows another size than we thought
                status, answer = await self._post(client, witness, checkpoint, note, nodes)
            if status != httpx.codes.OK:
                log.warning("a witness refused a checkpoint", witness=name, status=status)
                return None
            signature = _own(answer, witness.verifier)
            if signature is None:
                log.warning("a witness answered with another signature", witness=name)
                return None
            verify_cosignature(add_signature(note, signature), witness.verifier)
        except (httpx.HTTPError, ProtocolError) as error:
            log.warning("a witness did not cosign", witness=name, reason=type(error).__name__)
            return None
        self._sizes[name] = checkpoint.size
        return signature

    async def _post(
        self,
        client: httpx.AsyncClient,
        witness: PolicyWitness,
        checkpoint: Checkpoint,
        note: str,
        nodes: Nodes,
    ) -> tuple[int, str]:
        name = witness.verifier.name
        old = min(self._sizes.get(name, 0), checkpoint.size)
        proof = await asyncio.to_thread(consistency_proof, nodes, old, checkpoint.size)
        body = AddCheckpoint(old, proof, note).encode()
        url = witness.url.rstrip("/") + "/add-checkpoint"
        data = b""
        async with client.stream("POST", url, content=body.encode(), headers=_PLAIN) as answer:
            async for chunk in answer.aiter_raw():  # a few bytes can unpack to gigabytes
                data += chunk
                if len(data) > MAX_ANSWER_BYTES:
                    raise Malformed("a witness's answer that is too long")
            kind = answer.headers.get("content-type", "").partition(";")[0]
            status = answer.status_code
        try:
            text = data.decode()
        except UnicodeDecodeError:
            raise Malformed("a witness's answer that is not UTF-8") from None
        if status == httpx.codes.CONFLICT and kind == SIZE_TYPE:
            size = decimal(text.removesuffix("\n"))
            if size > checkpoint.size:
                log.error("a witness has seen more of this log than there is", witness=name)
                raise BadNote("a witness has seen a longer log")
            self._sizes[name] = size
        return status, text


def _own(answer: str, witness: WitnessVerifier) -> NoteSignature | None:
    """The one signature by this witness's key among those of an answer, which may be by others.

    Raises:
        BadNote: something in the answer is no signature line.
    """
    *lines, end = answer.split("\n")
    if end:
        raise BadNote("a signature line that is not ended")
    signatures = [NoteSignature.parse(line) for line in lines]
    own = [each for each in signatures if each.by(witness.name, witness.key_hash)]
    return own[0] if len(own) == 1 else None


def read_policy(path: Path) -> Policy:
    """The policy in a file of the operator's.

    Raises:
        ConfigurationError: it can not be read, or is none.
    """
    try:
        return parse_policy(path.read_bytes())
    except (OSError, BadPolicy) as error:
        message = f"The witness policy {path} can not be used: {error}"
        raise ConfigurationError(message) from None
