"""Configuration, read once at start from the environment and frozen.

Every setting is an environment variable with the prefix `CONSENT_REGISTRY_`. With none of them
set the embedded default is served: one process, SQLite, keys in files, everything below one
folder. `docs/operating.md` lists them all with what each is for.
"""

import ipaddress
from pathlib import Path
from typing import Annotated, Self

from limits import parse_many
from platformdirs import user_data_path
from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from consent_client.protocol.origins import check_origin
from consent_client.protocol.spaces import SPACES

SQLITE_SCHEME = "sqlite+aiosqlite:///"
POSTGRESQL_SCHEME = "postgresql+asyncpg://"

# A block of 10,000 images with three spaces is 11 MB of fingerprints, 15 MB as base64.
DEFAULT_BODY_BYTES = 32 * 2**20

_PORTS = 2**16
_PORT_DIGITS = 5

Count = Annotated[int, Field(gt=0)]


def _address(listen: str) -> tuple[str, int]:
    """An IP address and a port, written `192.0.2.1:9464` or `[2001:db8::1]:9464`.

    Raises:
        ValueError: it is something else; a name would be looked up, and might be anybody's.
    """
    host, _, port = listen.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    bare = host[1:-1] if bracketed else host
    try:
        version = ipaddress.ip_address(bare).version
    except ValueError:
        version = None
    digits = port.isascii() and port.isdecimal() and len(port) <= _PORT_DIGITS
    if version != (6 if bracketed else 4) or not digits or not 0 < int(port) < _PORTS:
        message = "must be an IP address and a port, as 127.0.0.1:9464 or [::1]:9464"
        raise ValueError(message)
    return bare, int(port)


class Settings(BaseSettings):
    """What an operator may set; immutable once read.

    Raises:
        pydantic.ValidationError: on a value out of its range; the message names the variable.
    """

    model_config = SettingsConfigDict(env_prefix="CONSENT_REGISTRY_", frozen=True, extra="ignore")

    origin: str = Field(
        default="localhost/consent-registry",
        description="The registry's own name in signatures and log. Never changes once records "
        "exist: owners' keys are derived from it.",
        min_length=1,
        max_length=255,
    )
    data_dir: Path = Field(
        default_factory=lambda: user_data_path("consent-registry"),
        description="Folder of the embedded default's database.",
    )
    database_url: str = Field(
        default="",
        description=f"`{SQLITE_SCHEME}/path` or `{POSTGRESQL_SCHEME}user@host/name`; empty: "
        "`registry.db` in the data folder.",
        repr=False,
    )
    keyring_dir: Path = Field(
        default=Path(),
        description="Folder of the file key store; its own folder, never in a backup beside the "
        "database. Empty: `keyring` in the data folder.",
    )

    log_dir: Path = Field(
        default=Path(),
        description="Folder of the published log: tiles and checkpoint, static files that any web "
        "server may serve too. One folder for all processes; it must not be lost. Empty: `log` in "
        "the data folder.",
    )
    snapshot_dir: Path = Field(
        default=Path(),
        description="Folder of the published snapshots: static files that any web server may serve "
        "too, under /snapshots. One folder for all processes. Empty: `snapshots` in the data "
        "folder.",
    )
    snapshot_days: Annotated[int, Field(ge=1, le=90)] = Field(
        default=7,
        description="Days a snapshot may be relied on. Fewer, and what is registered counts sooner "
        "with all who download; more, and they need not come so often.",
    )
    publish_hours: Annotated[float, Field(ge=0, le=2_160)] = Field(
        default=0,
        description="Hours between two snapshots, in less than the days that one may be relied on; "
        "0: only when `consent-registry publish` is run. See docs/snapshots.md first: downloaded "
        "copies outlive a withdrawal.",
    )
    witness_policy: Path | None = Field(
        default=None,
        description="A C2SP tlog-policy file: the witnesses that are asked to cosign checkpoints, "
        "each with its address, and the quorum. None: nobody is asked, and everything is "
        "unwitnessed.",
    )
    batch_seconds: Annotated[float, Field(ge=0, le=60)] = Field(
        default=0.5,
        description="How long changes are gathered before they are logged, in an order that says "
        "nothing of when they came. Longer hides more, and lets registrants wait longer.",
    )

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(
        default=8400, description="Port to listen on."
    )
    metrics_listen: str = Field(
        default="",
        description="Address and port that Prometheus metrics are served on, apart from the API: "
        "`127.0.0.1:9464` or `[::1]:9464`. For a network of the operator's only. Empty: nowhere.",
    )
    development: bool = Field(
        default=False, description="Serve GraphiQL and introspection suggestions at /graphql."
    )
    trusted_proxies: tuple[str, ...] = Field(
        default=(),
        description="Addresses or networks of reverse proxies whose X-Forwarded-For is believed, "
        'as a JSON list: `["10.0.0.0/8"]`. Without it all clients behind a proxy share one limit.',
    )

    max_body_bytes: Count = Field(
        default=DEFAULT_BODY_BYTES,
        description="Largest request body of a builder, in bytes; 64 KiB without a token.",
    )
    max_records: Count = Field(
        default=1_000_000, description="Record ceiling: active records held at most."
    )
    queue_size: Count = Field(
        default=1_000, description="Changes waiting to be written; beyond it clients hear `Busy`."
    )
    registration_limit: str = Field(
        default="30/minute;300/hour",
        description="Registrations and own-record reads per address, in the notation of the "
        "`limits` library; several are separated by `;`.",
    )
    withdrawal_limit: str = Field(
        default="60/minute;600/hour",
        description="Withdrawals per address that were signed wrongly or name no record, same "
        "notation. No other withdrawal is ever refused.",
    )
    challenge_limit: str = Field(
        default="120/minute", description="Challenges per address, same notation."
    )
    entries_limit: str = Field(
        default="2000000/minute;20000000/hour",
        description="Log entries read per address, same notation: a person who recovers reads all "
        "of them. At least a page of 16,384 a minute.",
    )
    builder_items_per_day: Count = Field(
        default=10_000_000,
        description="Images a builder may screen per day unless its own quota says otherwise.",
    )
    budget: Count = Field(
        default=64,
        description="Distinct candidates of one builder that may match one record before the "
        "builder is held for review: faces, and sessions without a commitment.",
    )
    border_budget: Count = Field(
        default=16,
        description="Distinct candidates of one builder that may come near the border of one "
        "record's reach, on either side, before the builder is held for review; not counted in "
        "committed sessions of works.",
    )
    committed_budget: Count = Field(
        default=1_024,
        description="The same in sessions whose candidates were committed to beforehand; "
        "spaces of works only.",
    )
    tell_exclusions: bool = Field(
        default=True,
        description="Whether owners of records are told which sessions left images out because of "
        "them: data set, organisation, use, day and number. It holds for sessions opened since.",
    )
    told_after_days: Annotated[int, Field(ge=0, le=3_650)] = Field(
        default=7,
        description="Days after a session is closed until that is told.",
    )
    proof_of_work_digits: Annotated[int, Field(ge=1, le=6)] = Field(
        default=3,
        description="Leading zero hex digits a registration's proof of work needs; each more "
        "costs a client 16 times the work. 3 is about a second on a laptop.",
    )
    face_threshold: float = Field(
        default=SPACES["face-1"].threshold or 1.0,
        description="Least cosine at which two faces count as one person; higher finds fewer, and "
        "confuses fewer. Never below what the space itself says.",
        lt=1,
    )
    sealing_key_days: Count = Field(
        default=90, description="Days a sealing key is accepted; a new one is issued at half-time."
    )
    follow_seconds: Annotated[float, Field(gt=0, le=5)] = Field(
        default=0.25, description="How often the log is looked at for other processes' entries."
    )
    matching_threads: int = Field(
        default=0, ge=0, description="Threads that match; 0: one per processor core."
    )

    @field_validator("metrics_listen")
    @classmethod
    def _apart_from_the_api(cls, listen: str, info: ValidationInfo) -> str:
        if listen and _address(listen)[1] == info.data.get("port"):
            message = "must be another port than the API's"
            raise ValueError(message)
        return listen

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for network in networks:
            ipaddress.ip_network(network)
        return networks

    @field_validator("face_threshold")
    @classmethod
    def _only_upward(cls, threshold: float) -> float:
        least = SPACES["face-1"].threshold or 1.0
        if not threshold >= least:  # not-a-number is not
            message = f"must be at least {least}: registrants were promised no looser matching"
            raise ValueError(message)
        return threshold

    @field_validator("origin")
    @classmethod
    def _name_of_keys(cls, origin: str) -> str:
        return check_origin(origin)

    @field_validator("registration_limit", "withdrawal_limit", "challenge_limit", "entries_limit")
    @classmethod
    def _rules(cls, rules: str) -> str:
        parse_many(rules)
        return rules

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, url: str) -> str:
        if url and not url.startswith((SQLITE_SCHEME, POSTGRESQL_SCHEME)):
            message = f"must start with {SQLITE_SCHEME} or {POSTGRESQL_SCHEME}"
            raise ValueError(message)
        return url

    @model_validator(mode="after")
    def _below_the_data_folder(self) -> Self:
        if not self.database_url:
            url = f"{SQLITE_SCHEME}{(self.data_dir / 'registry.db').absolute()}"
            object.__setattr__(self, "database_url", url)
        if self.keyring_dir == Path():
            object.__setattr__(self, "keyring_dir", self.data_dir / "keyring")
        if self.log_dir == Path():
            object.__setattr__(self, "log_dir", self.data_dir / "log")
        if self.snapshot_dir == Path():
            object.__setattr__(self, "snapshot_dir", self.data_dir / "snapshots")
        return self

    @model_validator(mode="after")
    def _in_time(self) -> Self:
        if self.publish_hours >= 24 * self.snapshot_days:
            message = "publish_hours must be less than snapshot_days"
            raise ValueError(message)
        return self

    @property
    def metrics_address(self) -> tuple[str, int] | None:
        """Where metrics are served, or None."""
        return _address(self.metrics_listen) if self.metrics_listen else None

    @property
    def is_embedded(self) -> bool:
        """Whether the database is SQLite: one machine, one disk."""
        return self.database_url.startswith(SQLITE_SCHEME)
