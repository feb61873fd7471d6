"""Whose word is enough for a checkpoint: policy files (https://c2sp.org/tlog-policy).

    log <verifier key> [<URL>]
    witness <name> <verifier key> [<URL>]
    group <name> <any|all|k> <name>…
    quorum <name|none>

A checkpoint is valid when one of the logs signed it and the quorum cosigned it. Names serve within
the file only; a witness is told to the outside by the name of its key.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Final, Self

from consent_client.errors import BadNote, BadPolicy
from consent_client.protocol.checkpoints import Checkpoint, open_checkpoint
from consent_client.protocol.cosignatures import (
    Cosignature,
    WitnessVerifier,
    verify_cosignatures,
)
from consent_client.protocol.notes import NoteVerifier, split_note

MAX_POLICY_BYTES: Final = 65_536
"""32 logs, 32 witnesses and 32 groups, which the specification wants, take a third of it."""

NO_QUORUM: Final = "none"

_FIELDS = re.compile(r"[^ \t]+")
_FORBIDDEN = re.compile(rb"[^\t\n\x20-\x7e\x80-\xff]")
_THRESHOLD = re.compile(r"[1-9][0-9]{0,4}")


@dataclass(frozen=True, slots=True)
class PolicyLog:
    """A log whose checkpoints are taken.

    Attributes:
        verifier: its key; the key's name is the log's origin.
        url: where it is, as the file says; empty where it does not.
    """

    verifier: NoteVerifier
    url: str = ""


@dataclass(frozen=True, slots=True)
class PolicyWitness:
    """A witness that may count.

    Attributes:
        verifier: its key.
        url: where checkpoints are submitted to it, as the file says; empty where it does not.
    """

    verifier: WitnessVerifier
    url: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Witnesses and groups of which `threshold` are enough."""

    threshold: int
    members: tuple[str, ...]


class Standing(Enum):
    """Whether others than the log vouch for a checkpoint."""

    WITNESSED = "witnessed"
    UNWITNESSED = "unwitnessed"


@dataclass(frozen=True, slots=True)
class Vouched:
    """A checkpoint that a log of the policy signed, and who else did.

    Attributes:
        checkpoint: what was signed.
        satisfied: whether the policy's quorum is there; it always is where the policy wants none.
        cosignatures: of the policy's witnesses that cosigned, in the policy's order.
        standing: WITNESSED where a quorum is asked for and is there. Without one, or under
            `quorum none`, only the log's own word stands behind the checkpoint: UNWITNESSED.
    """

    checkpoint: Checkpoint
    satisfied: bool
    cosignatures: tuple[Cosignature, ...]
    standing: Standing


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy file, read.

    Attributes:
        logs: those whose checkpoints are taken.
        witnesses: by their name in the file, in its order.
        groups: by name; each names only what stands before it.
        quorum: name of the witness or group that must have cosigned, or `none`.
    """

    logs: tuple[PolicyLog, ...]
    witnesses: Mapping[str, PolicyWitness]
    groups: Mapping[str, Group]
    quorum: str

    @classmethod
    def of_log(cls, verifier: NoteVerifier) -> Self:
        """The policy of who knows a log's key and no witnesses."""
        return cls((PolicyLog(verifier),), MappingProxyType({}), MappingProxyType({}), NO_QUORUM)

    def satisfied_by(self, cosigned: frozenset[str]) -> bool:
        """Whether these witnesses, by their names in the file, are a quorum."""
        met = {name: name in cosigned for name in self.witnesses}
        for name, group in self.groups.items():
            met[name] = sum(met[member] for member in group.members) >= group.threshold
        return self.quorum == NO_QUORUM or met[self.quorum]


def vouch(policy: Policy, note: str) -> Vouched:
    """Who of a policy stands behind a checkpoint; without the quorum it is told, not refused.

    Raises:
        BadNote: not a note, none of the policy's logs signed it, or a log or witness of the policy
            is there with a signature that is wrong, or twice.
        BadCheckpoint: the text is no checkpoint, or one of another log than the one that signed.
    """
    _, signatures = split_note(note)
    there = {(line.name, line.key_hash) for line in signatures}
    logs = [log.verifier for log in policy.logs]
    opened = [open_checkpoint(note, log) for log in logs if (log.name, log.key_hash) in there]
    if not opened:
        raise BadNote("no log of the policy signed the checkpoint")
    names = {witness.verifier: name for name, witness in policy.witnesses.items()}
    cosignatures = verify_cosignatures(note, names)
    satisfied = policy.satisfied_by(frozenset(names[each.witness] for each in cosignatures))
    witnessed = satisfied and policy.quorum != NO_QUORUM
    standing = Standing.WITNESSED if witnessed else Standing.UNWITNESSED
    return Vouched(opened[0], satisfied, cosignatures, standing)


def parse_policy(data: bytes) -> Policy:
    """The policy behind a file.

    Args:
        data: the file. Bytes from 0x80 on are opaque, whether they are UTF-8 or not: names keep
            them as surrogate escapes.

    Raises:
        BadPolicy: anything the specification does not allow, a kind of key that is not supported,
            or a file longer than `MAX_POLICY_BYTES`; `.line` says where.
    """
    if len(data) > MAX_POLICY_BYTES:
        raise BadPolicy("the policy is too long")
    *lines, end = data.split(b"\n")
    if end:
        raise BadPolicy("the last line has no newline: is this the whole file?", len(lines) + 1)
    draft = _Draft()
    for number, line in enumerate(lines, 1):
        if _FORBIDDEN.search(line):
            raise BadPolicy("a control character", number)
        fields = _FIELDS.findall(line.decode("utf-8", "surrogateescape"))
        if not fields or fields[0].startswith("#"):
            continue
        try:
            draft.add(fields[0], fields[1:])
        except BadNote as error:
            raise BadPolicy(f"the key: {error}", number) from error
        except BadPolicy as error:
            raise BadPolicy(str(error), number) from error
    if draft.quorum is None:
        raise BadPolicy("there is no quorum line")
    return Policy(
        tuple(draft.logs),
        MappingProxyType(draft.witnesses),
        MappingProxyType(draft.groups),
        draft.quorum,
    )


@dataclass(slots=True)
class _Draft:
    """A policy as far as it was read."""

    logs: list[PolicyLog] = field(default_factory=list)
    witnesses: dict[str, PolicyWitness] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    quorum: str | None = None
    grouped: set[str] = field(default_factory=set)

    def add(self, keyword: str, fields: list[str]) -> None:
        """Takes one line in."""
        match keyword, fields:
            case "log", [vkey, *url] if len(url) <= 1:
                self._log(vkey, *url)
            case "witness", [name, vkey, *url] if len(url) <= 1:
                self._witness(name, vkey, *url)
            case "group", [name, threshold, *members] if members:
                self._group(name, threshold, members)
            case "quorum", [name]:
                self._quorum(name)
            case "log" | "witness" | "group" | "quorum", _:
                raise BadPolicy(f"a {keyword} line with too few or too many parts")
            case _:
                raise BadPolicy("neither log, witness, group nor quorum")

    def _log(self, vkey: str, url: str = "") -> None:
        log = PolicyLog(NoteVerifier.parse(vkey), url)
        if any(log.verifier.public == other.verifier.public for other in self.logs):
            raise BadPolicy("a log's key is listed twice")
        self.logs.append(log)

    def _witness(self, name: str, vkey: str, url: str = "") -> None:
        self._check_new(name)
        witness = PolicyWitness(WitnessVerifier.parse(vkey), url)
        others = self.witnesses.values()
        if any(witness.verifier.public == other.verifier.public for other in others):
            raise BadPolicy("a witness's key is listed twice")
        self.witnesses[name] = witness

    def _group(self, name: str, threshold: str, members: list[str]) -> None:
        self._check_new(name)
        for member in members:
            self._check_known(member)
            if member in self.grouped:
                raise BadPolicy("a member of two groups, or twice of one")
            self.grouped.add(member)
        least = {"any": 1, "all": len(members)}.get(threshold)
        if least is None:
            least = int(threshold) if _THRESHOLD.fullmatch(threshold) else 0
        if not 1 <= least <= len(members):
            raise BadPolicy("a group's threshold is any, all, or a number from 1 to its members")
        self.groups[name] = Group(least, tuple(members))

    def _quorum(self, name: str) -> None:
        if self.quorum is not None:
            raise BadPolicy("a second quorum line")
        if name != NO_QUORUM:
            self._check_known(name)
        self.quorum = name

    def _check_new(self, name: str) -> None:
        if name == NO_QUORUM or name in self.witnesses or name in self.groups:
            raise BadPolicy("a name that is taken")

    def _check_known(self, name: str) -> None:
        if name not in self.witnesses and name not in self.groups:
            raise BadPolicy("a name that no line before it defines")
