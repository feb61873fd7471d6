"""Everything the API answers with, apart from problems."""

from collections.abc import Iterable
from dataclasses import asdict
from enum import Enum

import strawberry

from consent_client.protocol.contests import MAX_CONTESTED
from consent_client.protocol.log import DisputeOutcome, DisputeReason
from consent_client.protocol.protection import Reach
from consent_client.protocol.protection import SpaceProtection as Protection
from consent_client.protocol.spaces import (
    MAX_FINGERPRINTS,
    MAX_LIST_BYTES,
    MAX_SPACES,
    Kind,
    Subject,
)
from registry.api.context import RequestInfo
from registry.api.scalars import Base64, LogIndex
from registry.services import became
from registry.services.became import MOST_TOLD
from registry.services.calibrations import published


@strawberry.enum(description="What a data set is used for (CAWG training-mining).")
class Use(Enum):
    """The four uses; values are the protocol's numbers."""

    DATA_MINING = 0
    AI_INFERENCE = 1
    AI_TRAINING = 2
    AI_GENERATIVE_TRAINING = 3


@strawberry.enum(
    description="ACTIVE counts in screenings. Nothing returns to it: to change a statement, "
    "register a new record and withdraw the old."
)
class RecordStatus(Enum):
    """Where a record stands; values are the store's numbers."""

    ACTIVE = 1
    WITHDRAWN = 2
    ERASED = 3
    EXPIRED = 4


strawberry.enum(Kind, name="SpaceKind", description="How fingerprints are compared.")
strawberry.enum(
    Subject,
    name="SpaceSubject",
    description="What fingerprints are of: a WORK, to find copies of it, or a PERSON, to find "
    "other photographs. Spaces of people are matched only in sessions that opt in to them.",
)
strawberry.enum(
    Reach,
    description="How different a copy may be and still be found: EDITED_COPIES, also crops, bars, "
    "captions and screenshots; NEAR_COPIES, only what hardly differs, because there are many "
    "pictures of this kind that look alike; NOT_MEASURED, by a model of the operator's own, of "
    "which nothing is known here.",
)


@strawberry.type(description="A fingerprint space: one way of telling images apart.")
class Space:
    """A row of the space table."""

    id: str
    kind: Kind
    dimension: int = strawberry.field(description="Bits, or numbers of a vector.")
    bytes: int = strawberry.field(description="Bytes of one fingerprint.")
    radius: int | None = strawberry.field(description="Binary: matches up to this many bits apart.")
    threshold: float | None = strawberry.field(
        description="Float: no record matches below this cosine. Each has a threshold of its own: "
        "see `Screening.terms`."
    )
    finds: str = strawberry.field(description="In words.")
    subject: Subject
    definition: str | None = strawberry.field(
        description="Of a space of the operator's own: SHA-256 of what its space file says, in "
        "hexadecimal. Compare it with your own file's before you send vectors. Null where the id "
        "says it all."
    )


@strawberry.type(description="Every limit a client can run into.")
class Limits:
    """What the settings and the formats allow."""

    body_bytes: int = strawberry.field(description="Largest request body with a builder's token.")
    public_body_bytes: int = strawberry.field(description="Largest request body without one.")
    query_characters: int = strawberry.field(description="Longest query text; use variables.")
    depth: int = strawberry.field(description="Deepest nesting of a query.")
    aliases: int = strawberry.field(description="Most aliases in a query.")
    root_fields: int = strawberry.field(description="Most fields at the top of an operation.")
    block_images: int = strawberry.field(description="Most images in a block.")
    candidates: LogIndex = strawberry.field(description="Most images in a screening.")
    entries_page: int = strawberry.field(description="Most log entries in one answer.")
    records: LogIndex = strawberry.field(description="Most active records.")
    record_spaces: int = strawberry.field(
        default=MAX_SPACES, description="Most spaces in a record."
    )
    space_fingerprints: int = strawberry.field(
        default=MAX_FINGERPRINTS, description="Most fingerprints per space in a record."
    )
    list_bytes: int = strawberry.field(
        default=MAX_LIST_BYTES, description="Longest list of fingerprints in a record."
    )
    contest_images: int = strawberry.field(
        default=MAX_CONTESTED, description="Most images in a contest."
    )
    registrations: str = strawberry.field(
        description="Registrations and own-record reads per address."
    )
    challenges: str = strawberry.field(description="Challenges per address.")


@strawberry.type(
    description="One policy on a calibration's sample. A hit is an image and a record that match; "
    "it is false where people judged that the record can not be of the image."
)
class CalibratedPolicy:
    """See `services.calibrations.PolicyResult`."""

    name: str
    version: int
    hits: LogIndex
    false_hits: LogIndex
    unsure_hits: LogIndex
    matched_images: LogIndex
    false_images: LogIndex = strawberry.field(description="Images whose hits are all false.")
    unsure_images: LogIndex = strawberry.field(
        description="Images without a right hit, some of whose hits could not be judged."
    )
    rate: float = strawberry.field(description="False images of all images.")
    low: float = strawberry.field(
        description="Lower end of the 95 % interval (Clopper and Pearson), unsure images taken for "
        "right."
    )
    high: float = strawberry.field(description="Upper end, unsure images taken for false.")


@strawberry.type(
    description="The whole registry matched with a random sample of a data set, and the hits "
    "reviewed: how often images are excluded that no record is a copy of."
)
class Calibration:
    """See `services.calibrations.Calibration`."""

    day: int = strawberry.field(description="Published on this UTC day, counted from 1970-01-01.")
    sample: str = strawberry.field(description="The data set's name.")
    images: LogIndex
    unreadable: LogIndex = strawberry.field(description="Further images, not counted.")
    spaces: list[str]
    least_log_size: LogIndex
    log_size: LogIndex
    active_records: LogIndex
    in_force: str = strawberry.field(description="The policy that new sessions got then.")
    policies: list[CalibratedPolicy]


async def shown_calibrations(info: RequestInfo) -> list[Calibration]:
    """The newest calibrations; they cost a read, so only who asks for them waits."""
    return [
        Calibration(
            day=each.day,
            sample=each.calibration.sample,
            images=LogIndex(each.calibration.images),
            unreadable=LogIndex(each.calibration.unreadable),
            spaces=list(each.calibration.spaces),
            least_log_size=LogIndex(each.calibration.least_log_size),
            log_size=LogIndex(each.calibration.log_size),
            active_records=LogIndex(each.calibration.active_records),
            in_force=each.calibration.in_force,
            policies=[CalibratedPolicy(**asdict(policy)) for policy in each.calibration.policies],
        )
        for each in await published(info.context.registry.store)
    ]


@strawberry.type(name="Registry", description="The registry itself.")
class RegistryInfo:
    """What a client needs to know before anything else."""

    origin: str = strawberry.field(description="Its name in every signature.")
    software: str = strawberry.field(description="Name and version of the server.")
    ready: bool = strawberry.field(description="Whether screenings are answered.")
    log_size: LogIndex = strawberry.field(description="Entries this process has replayed.")
    verifier_key: str = strawberry.field(
        description="C2SP verifier key of the note below. Pin it: it does not change."
    )
    sealing_keys: str = strawberry.field(description="The current sealing keys, a signed note.")
    spaces: list[Space]
    limits: Limits
    calibrations: list[Calibration] = strawberry.field(
        resolver=shown_calibrations,
        description="Field measurements of false exclusions, newest first.",
    )


@strawberry.type(description="What to bring to `register`, or to sign for `record`.")
class Challenge:
    """Work and nonce for one record id."""

    proof_of_work: str = strawberry.field(description="An altcha v2 challenge, as JSON.")
    nonce: Base64 = strawberry.field(description="To sign when reading one's own record.")
    expires_at: LogIndex = strawberry.field(description="Seconds since 1970, UTC.")


@strawberry.type(description="How far a record reaches in one space in which likeness counts.")
class SpaceProtection:
    """See `services.protection`."""

    space: str
    reach: Reach


def protection_of(protection: Iterable[Protection]) -> list[SpaceProtection]:
    """As it is answered."""
    return [SpaceProtection(space=each.space, reach=each.reach) for each in protection]


@strawberry.type(description="The record is in the log and counts from now on.")
class Registration:
    """The answer to `register`; the same for the same request."""

    record_id: Base64
    register_index: LogIndex = strawberry.field(description="Its REGISTER entry.")
    log_size: LogIndex
    status: RecordStatus
    proof: str = strawberry.field(
        description="That the REGISTER entry is under the newest published checkpoint, as C2SP "
        "tlog-proof. With what only you know it makes a receipt; it can be fetched again."
    )
    protection: list[SpaceProtection] = strawberry.field(
        description="What is found of the picture by likeness. Exact spaces find the same and "
        "nothing else, and are not listed."
    )


@strawberry.type(description="The record has ended and becomes unreadable.")
class Withdrawal:
    """The answer to `withdraw`; repeating it changes nothing."""

    record_id: Base64
    status: RecordStatus = strawberry.field(description="WITHDRAWN, or how it had ended before.")
    register_index: LogIndex
    terminal_index: LogIndex = strawberry.field(description="The entry that ended it.")
    log_size: LogIndex
    proof: str | None = strawberry.field(
        description="That this entry is under the newest published checkpoint, as C2SP tlog-proof; "
        "null where publishing takes long: it is withdrawn all the same."
    )


@strawberry.type(description="Where a session's certificate was logged.")
class LoggedCertificate:
    """See `services.became.Certified`."""

    index: LogIndex = strawberry.field(description="Of the CERTIFY entry.")
    digest: Base64 = strawberry.field(description="SHA-256 of the certificate.")


@strawberry.type(
    description="A session that left images out because of a record. Nothing else of the "
    "builder's set is told, and not which images."
)
class Exclusion:
    """See `services.became.Exclusion`."""

    dataset: str = strawberry.field(description="Its name, as the builder gave it.")
    organisation: str = strawberry.field(description="The builder.")
    use: Use
    day: int = strawberry.field(
        description="UTC day on which the newest was left out, counted from 1970-01-01."
    )
    images: LogIndex = strawberry.field(description="How many.")
    session_index: LogIndex | None = strawberry.field(
        description="Of the SESSION entry, where the session is committed."
    )
    certificate: LoggedCertificate | None = strawberry.field(
        description="The newest certificate of the session, if it was logged."
    )


strawberry.enum(
    DisputeOutcome,
    description="STANDS: the exclusion does. MISTAKEN: the image is another than what was "
    "registered; the record goes on. ERASED: the record was not its owner's to state, and ended.",
)
strawberry.enum(
    DisputeReason,
    description="UNDECIDED: nobody can tell; a refusal wins, since leaving an image out harms "
    "nobody.",
)


@strawberry.type(
    description="A builder disputed that a record excluded an image, and the operator decided. "
    "Everybody can read it in the log; which image it was about, nobody."
)
class Dispute:
    """See `services.disputes.OwnDispute`."""

    index: LogIndex = strawberry.field(description="Of its DISPUTE entry.")
    outcome: DisputeOutcome
    reason: DisputeReason


@strawberry.type(description="A record as its owner sees it. Nobody else can ask for it.")
class OwnRecord:
    """The answer to `record`."""

    record_id: Base64
    status: RecordStatus
    register_index: LogIndex
    terminal_index: LogIndex | None
    commitment: Base64
    statement: Base64 | None = strawberry.field(description="Null once it is unreadable.")
    image_digest: Base64 | None = strawberry.field(
        description="F, the digest of the fingerprints. Null once it is unreadable."
    )
    protection: list[SpaceProtection] = strawberry.field(
        description="As `register` answered. Empty once it is unreadable."
    )
    exclusions: list[Exclusion] = strawberry.field(
        description=f"The sessions that left images out because of it, the {MOST_TOLD} newest at "
        "most. They are told after some days, which a session's terms say, and no more once the "
        "record has ended."
    )
    disputes: list[Dispute] = strawberry.field(description="By their place in the log.")


@strawberry.type(
    description="A session for one data set and one use. A verdict is what unverified statements "
    "say: PERMIT is not a licence."
)
class Screening:
    """The answer to `openScreening`."""

    id: Base64
    use: Use
    required_spaces: list[str]
    opt_in_spaces: list[str] = strawberry.field(description="Spaces of people looked in too.")
    candidate_count: LogIndex
    log_size: LogIndex
    terms: str = strawberry.field(
        description="What all blocks are answered by, canonical JSON: the use, the spaces and what "
        "matches in each, the policy and the bank by which that was chosen."
    )
    results_secret: Base64 | None = strawberry.field(
        description="Of a committed screening, 32 bytes: makes the salts of its result leaves. "
        "Whoever has it can open all of them."
    )


@strawberry.type(description="Verdicts for a block; the same for the same block.")
class ScreenedBlock:
    """The answer to `screen`."""

    block: int
    verdicts: Base64 = strawberry.field(
        description="A byte per image: 0 CLEAR, 1 EXCLUDE, 2 PERMIT, 3 UNKNOWN (a required space "
        "is missing). Never a score."
    )
    log_size: LogIndex = strawberry.field(description="The log size all of them hold for.")


@strawberry.type(description="Final verdicts for contested images; the same for the same contest.")
class ContestedBlock:
    """The answer to `contest`."""

    block: int
    rows: Base64 = strawberry.field(description="Bitmap over the block, as it was sent.")
    verdicts: Base64 = strawberry.field(
        description="A byte per contested image, in order, as in `ScreenedBlock`."
    )
    log_size: LogIndex = strawberry.field(
        description="The log size they hold for: never less than the block's."
    )


@strawberry.type(description="Images per verdict.")
class VerdictCounts:
    """Four counts."""

    clear: LogIndex
    exclude: LogIndex
    permit: LogIndex
    unknown: LogIndex


@strawberry.type(description="Images with and without a fingerprint in one space.")
class SpaceCounts:
    """Two counts. How many matched in a space is not told: it would say why."""

    space: str
    present: LogIndex
    missing: LogIndex


@strawberry.type(description="Where a committed screening stands in the log.")
class LoggedScreening:
    """SESSION and CLOSE."""

    session_index: LogIndex
    close_index: LogIndex
    results_root: Base64 = strawberry.field(
        description="RFC 6962 root over the result leaves of all images; the same as your own."
    )
    proof: str = strawberry.field(description="Of the CLOSE entry, as C2SP tlog-proof.")


@strawberry.type(description="A certificate is in the log.")
class Certification:
    """The answer to `certify`."""

    certify_index: LogIndex
    proof: str = strawberry.field(description="Of the CERTIFY entry, as C2SP tlog-proof.")


@strawberry.type(description="The counts of a closed screening.")
class ClosedScreening:
    """The answer to `closeScreening`."""

    id: Base64
    complete: bool = strawberry.field(description="Whether every announced image was answered.")
    answered: LogIndex
    candidate_count: LogIndex
    verdicts: VerdictCounts = strawberry.field(description="After contests.")
    contested: LogIndex = strawberry.field(description="Images that were contested.")
    overturned: LogIndex = strawberry.field(description="How many of those are no longer excluded.")
    spaces: list[SpaceCounts]
    least_log_size: LogIndex
    greatest_log_size: LogIndex
    logged: LoggedScreening | None = strawberry.field(
        description="Of a committed screening; null otherwise."
    )


def exclusions_of(excluded: Iterable[became.Exclusion]) -> list[Exclusion]:
    """As the API answers them."""
    return [
        Exclusion(
            dataset=each.dataset,
            organisation=each.organisation,
            use=Use(each.use),
            day=each.day,
            images=LogIndex(each.images),
            session_index=(None if each.session_index is None else LogIndex(each.session_index)),
            certificate=(
                None
                if each.certificate is None
                else LoggedCertificate(
                    index=LogIndex(each.certificate.index),
                    digest=Base64(each.certificate.digest),
                )
            ),
        )
        for each in excluded
    ]
