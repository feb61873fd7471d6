"""What can be done: register, withdraw, and screen a data set block by block."""

from typing import Annotated, cast

import strawberry

from consent_client.protocol.certificates import MAX_CERTIFICATE_BYTES
from consent_client.protocol.contests import (
    CONTEST_SPACES,
    CROPS,
    MAX_CONTESTED,
    Contest,
    CropColumn,
)
from consent_client.protocol.records import RegistrationRequest
from consent_client.protocol.screening import MAX_BLOCK, Column
from consent_client.protocol.spaces import MAX_FACES
from consent_client.protocol.statements import Use
from consent_client.protocol.verdicts import Verdict
from registry.api import problems, types
from registry.api.context import RequestInfo
from registry.api.scalars import Base64, LogIndex
from registry.errors import NotPublished
from registry.services import (
    certification,
    contest,
    proofs,
    registration,
    screening,
    sessions,
    withdrawal,
)
from registry.services.blocks import Block
from registry.services.commitments import Commitment, results_secret
from registry.services.sessions import Opening

RegisterResult = Annotated[
    types.Registration
    | problems.InvalidInput
    | problems.ProofOfWorkRejected
    | problems.SignatureRejected
    | problems.SealingKeyUnknown
    | problems.SealingKeyExpired
    | problems.SealRejected
    | problems.Conflict
    | problems.RegistryFull
    | problems.TooGeneric
    | problems.NotReady
    | problems.NotPublished
    | problems.Busy,
    strawberry.union("RegisterResult"),
]
WithdrawResult = Annotated[
    types.Withdrawal | problems.InvalidInput | problems.NotYours | problems.Busy,
    strawberry.union("WithdrawResult"),
]
OpenScreeningResult = Annotated[
    types.Screening | problems.InvalidInput | problems.NotReady | problems.Busy,
    strawberry.union("OpenScreeningResult"),
]
ScreenResult = Annotated[
    types.ScreenedBlock
    | problems.InvalidInput
    | problems.UnknownScreening
    | problems.ScreeningClosed
    | problems.Conflict
    | problems.NotReady
    | problems.Busy,
    strawberry.union("ScreenResult"),
]
ContestResult = Annotated[
    types.ContestedBlock
    | problems.InvalidInput
    | problems.UnknownScreening
    | problems.ScreeningClosed
    | problems.Conflict
    | problems.NotReady
    | problems.Busy,
    strawberry.union("ContestResult"),
]
CloseScreeningResult = Annotated[
    types.ClosedScreening
    | problems.UnknownScreening
    | problems.InvalidInput
    | problems.NotPublished
    | problems.Busy,
    strawberry.union("CloseScreeningResult"),
]
CertifyResult = Annotated[
    types.Certification
    | problems.InvalidInput
    | problems.UnknownScreening
    | problems.Conflict
    | problems.NotPublished
    | problems.Busy,
    strawberry.union("CertifyResult"),
]


@strawberry.input(
    description="A sealed record. Send the same bytes again if no answer came: the answer will be "
    "the same. There is no field for a name."
)
class RegisterInput:
    """FORMATS §3."""

    record_id: Base64 = strawberry.field(description="16 bytes.")
    owner_public_key: Base64 = strawberry.field(description="32 bytes, Ed25519.")
    commitment: Base64 = strawberry.field(description="C, 32 bytes.")
    signature: Base64 = strawberry.field(description="64 bytes, by the owner.")
    sealing_key_id: Base64 = strawberry.field(description="8 bytes; see `registry.sealingKeys`.")
    sealed: Base64 = strawberry.field(
        description="HPKE: 8,192 bytes sealed, with encapsulated key and tag 9,328 bytes (suite 1) "
        "or 8,240 bytes (suite 2)."
    )
    proof_of_work: str = strawberry.field(
        description="An altcha payload, at most 4,096 characters."
    )

    def __repr__(self) -> str:
        """Without what was sent."""
        return "RegisterInput(…)"


@strawberry.input(description="A withdrawal signed by the owner; it can be kept and sent any time.")
class WithdrawInput:
    """FORMATS §3."""

    owner_public_key: Base64 = strawberry.field(description="32 bytes, Ed25519.")
    commitment: Base64 = strawberry.field(description="C, 32 bytes.")
    signature: Base64 = strawberry.field(description="64 bytes, by the owner.")

    def __repr__(self) -> str:
        """Without what was sent."""
        return "WithdrawInput(…)"


@strawberry.input(
    description="A commitment to a manifest: the images are fixed before the first answer, and a "
    "certificate can be had."
)
class CommitmentInput:
    """FORMATS §6."""

    root: Base64 = strawberry.field(
        description="RFC 6962 root over `image_sha256 ‖ F` of every image, ascending; 32 bytes."
    )
    salt: Base64 = strawberry.field(description="32 random bytes, which blind the root in the log.")
    builder_key: Base64 = strawberry.field(
        description="Ed25519, 32 bytes: will sign the certificate. Its hash is logged."
    )

    def __repr__(self) -> str:
        """Without what was sent."""
        return "CommitmentInput(…)"


@strawberry.input(description="A data set to be screened for one use.")
class OpenScreeningInput:
    """FORMATS §6."""

    dataset: str = strawberry.field(
        description=f"Its name, 1 to {sessions.MAX_DATASET_CHARACTERS} characters."
    )
    use: types.Use
    required_spaces: list[str] = strawberry.field(
        description="Images without a fingerprint in one of these are UNKNOWN unless excluded."
    )
    candidate_count: LogIndex = strawberry.field(
        description=f"How many images will be sent, 1 to {sessions.MAX_CANDIDATES}."
    )
    opt_in_spaces: list[str] = strawberry.field(
        default_factory=list,
        description="Spaces of people to look in too. Nobody is looked for otherwise.",
    )
    lawful_basis_stated: bool = strawberry.field(
        default=False,
        description="Whether you state that you may lawfully process biometric data of the people "
        "in these images; must be true where a space of people is opted in to.",
    )
    commitment: CommitmentInput | None = strawberry.field(
        default=None,
        description="Makes it a committed screening of `candidateCount` images, of works only.",
    )


@strawberry.input(description="One space's fingerprints of a block.")
class ColumnInput:
    """Columnar, since objects cost a thousand times more."""

    space: str
    present: Base64 = strawberry.field(
        description="Bitmap over the block, bit i in byte i div 8, least significant first: "
        "whether image i has a fingerprint here."
    )
    fingerprints: Base64 = strawberry.field(
        description="The fingerprints of the images that have one, in order, joined plainly."
    )
    counts: Base64 | None = strawberry.field(
        default=None,
        description="Only in a space of people, and there always: a byte for each image that is "
        f"present, how many fingerprints it has, 0 to {MAX_FACES}.",
    )

    def __repr__(self) -> str:
        """Without what was sent."""
        return "ColumnInput(…)"


@strawberry.input(description="A block of images. The same block again gets the same answer.")
class ScreenInput:
    """FORMATS §6."""

    screening_id: Base64 = strawberry.field(description="16 bytes, from `openScreening`.")
    block: int = strawberry.field(description="Number of the block, from 0.")
    count: int = strawberry.field(description=f"Images in it, 1 to {MAX_BLOCK}.")
    columns: list[ColumnInput] = strawberry.field(description="At most one per space.")
    audit_path: list[Base64] | None = strawberry.field(
        default=None,
        description="In a committed screening, of whose blocks each is 8,192 images but the last, "
        "in the manifest's order and with `sha256` of every image: RFC 6962 path of the block's "
        "root among the blocks' roots.",
    )

    def __repr__(self) -> str:
        """Without what was sent."""
        return "ScreenInput(…)"


@strawberry.input(description="The crops of contested images in one space.")
class CropsInput:
    """Columnar, as `ColumnInput`."""

    space: str
    fingerprints: Base64 = strawberry.field(
        description=f"{CROPS} fingerprints for each contested image that has one in this space: of "
        "the crops top left, top right, bottom left, bottom right and centre, each of 60 % of "
        "width and height."
    )

    def __repr__(self) -> str:
        """Without what was sent."""
        return "CropsInput(…)"


@strawberry.input(
    description="A contest of excluded images: their fingerprints again, with those of five crops. "
    "Each image can be contested once. Leaving it out is always right, and free."
)
class ContestInput:
    """FORMATS §6."""

    screening_id: Base64 = strawberry.field(description="16 bytes, from `openScreening`.")
    block: int = strawberry.field(description="Number of the block they were answered in.")
    count: int = strawberry.field(description=f"Images contested, 1 to {MAX_CONTESTED}.")
    rows: Base64 = strawberry.field(
        description="Bitmap over the block: which images. Each was answered EXCLUDE."
    )
    columns: list[ColumnInput] = strawberry.field(
        description="Their fingerprints exactly as they were screened, `count` images long."
    )
    crops: list[CropsInput] = strawberry.field(
        description=f"One for each of {', '.join(CONTEST_SPACES)} among the columns."
    )
    manifest: Base64 | None = strawberry.field(
        default=None,
        description="In a committed screening: all rows of the block's manifest, 64 bytes each.",
    )
    audit_path: list[Base64] | None = strawberry.field(
        default=None, description="In a committed screening: of the block, as in `ScreenInput`."
    )

    def __repr__(self) -> str:
        """Without what was sent."""
        return "ContestInput(…)"


@strawberry.input(description="A certificate to be logged, which countersigns it.")
class CertifyInput:
    """FORMATS §6."""

    screening_id: Base64 = strawberry.field(description="16 bytes, from `openScreening`.")
    certificate: Base64 = strawberry.field(
        description=f"DSSE envelope, at most {MAX_CERTIFICATE_BYTES} bytes."
    )

    def __repr__(self) -> str:
        """Without what was sent."""
        return "CertifyInput(…)"


@strawberry.input
class CloseScreeningInput:
    """Which session to close."""

    screening_id: Base64 = strawberry.field(description="16 bytes, from `openScreening`.")


def _column(column: ColumnInput, count: int) -> Column:
    return Column.decode(column.space, count, column.present, column.fingerprints, column.counts)


def _commitment(given: CommitmentInput | None) -> Commitment | None:
    return None if given is None else Commitment(given.root, given.salt, given.builder_key)


@strawberry.type
class Mutation:
    """The mutations."""

    @strawberry.mutation(description="Registers a record. Limited per address, without identity.")
    async def register(self, info: RequestInfo, input: RegisterInput) -> RegisterResult:  # noqa: A002 (GraphQL's convention)
        """See `services.registration`."""
        registration.admit(info.context.registry, info.context.address)
        request = RegistrationRequest(
            record_id=input.record_id,
            owner_public_key=input.owner_public_key,
            commitment=input.commitment,
            signature=input.signature,
            sealing_key_id=input.sealing_key_id,
            sealed=input.sealed,
        )
        registry = info.context.registry
        done = await registration.register(registry, request, input.proof_of_work)
        return types.Registration(
            record_id=input.record_id,
            register_index=LogIndex(done.register_index),
            log_size=LogIndex(done.log_size),
            status=types.RecordStatus(done.status),
            proof=await proofs.entry_proof(registry.publisher, done.register_index),
            protection=types.protection_of(done.protection),
        )

    @strawberry.mutation(
        description="Withdraws a record; repeating it is harmless. Unknown record and wrong "
        "signature get the same answer."
    )
    async def withdraw(self, info: RequestInfo, input: WithdrawInput) -> WithdrawResult:  # noqa: A002
        """See `services.withdrawal`."""
        request = withdrawal.WithdrawalRequest(
            owner_public_key=input.owner_public_key,
            commitment=input.commitment,
            signature=input.signature,
        )
        registry = info.context.registry
        done = await withdrawal.withdraw(registry, request, info.context.address)
        terminal_index = cast("int", done.terminal_index)  # it has just ended
        try:
            proof = await proofs.entry_proof(registry.publisher, terminal_index)
        except NotPublished:
            proof = None
        return types.Withdrawal(
            record_id=Base64(done.record_id),
            status=types.RecordStatus(done.status),
            register_index=LogIndex(done.register_index),
            terminal_index=LogIndex(terminal_index),
            log_size=LogIndex(done.log_size),
            proof=proof,
        )

    @strawberry.mutation(description="Opens a screening. Needs a builder's token.")
    async def open_screening(
        self,
        info: RequestInfo,
        input: OpenScreeningInput,  # noqa: A002
    ) -> OpenScreeningResult:
        """See `services.screening`."""
        builder = await info.context.builder()
        opened, log_size = await sessions.open_screening(
            info.context.registry,
            builder,
            Opening(
                dataset=input.dataset,
                use=Use(input.use.value),
                required_spaces=tuple(input.required_spaces),
                candidate_count=input.candidate_count,
                opt_in_spaces=tuple(input.opt_in_spaces),
                lawful_basis_stated=input.lawful_basis_stated,
                commitment=_commitment(input.commitment),
            ),
        )
        committed = opened.root is not None
        return types.Screening(
            id=Base64(opened.id),
            use=input.use,
            required_spaces=list(opened.required_spaces),
            opt_in_spaces=list(opened.opt_in_spaces),
            candidate_count=input.candidate_count,
            log_size=LogIndex(log_size),
            terms=opened.terms,
            results_secret=(
                Base64(results_secret(info.context.registry.block_secret, opened.id))
                if committed
                else None
            ),
        )

    @strawberry.mutation(
        description="Answers a block. Counts against the builder's quota, once. Needs a builder's "
        "token."
    )
    async def screen(self, info: RequestInfo, input: ScreenInput) -> ScreenResult:  # noqa: A002
        """See `services.screening`."""
        builder = await info.context.builder()
        block = Block(
            input.block,
            tuple(_column(column, input.count) for column in input.columns),
            tuple(input.audit_path or ()),
        )
        answer = await screening.screen(info.context.registry, builder, input.screening_id, block)
        return types.ScreenedBlock(
            block=answer.number,
            verdicts=Base64(answer.verdicts),
            log_size=LogIndex(answer.log_size),
        )

    @strawberry.mutation(
        description="Looks again at excluded images, with crops of them. An exclusion that rests "
        "on resemblance alone falls where no view of the image comes near enough to the record. "
        "Counts against the builder's budget, once, and each crop as an image. Needs a builder's "
        "token."
    )
    async def contest(self, info: RequestInfo, input: ContestInput) -> ContestResult:  # noqa: A002
        """See `services.contest`."""
        builder = await info.context.builder()
        answer = await contest.contest(
            info.context.registry,
            builder,
            input.screening_id,
            Contest(
                input.block,
                input.rows,
                tuple(_column(column, input.count) for column in input.columns),
                tuple(CropColumn(crops.space, crops.fingerprints) for crops in input.crops),
            ),
            input.manifest or b"",
            tuple(input.audit_path or ()),
        )
        return types.ContestedBlock(
            block=answer.block,
            rows=Base64(answer.rows),
            verdicts=Base64(answer.verdicts),
            log_size=LogIndex(answer.log_size),
        )

    @strawberry.mutation(description="Closes a screening and counts it. Needs a builder's token.")
    async def close_screening(
        self,
        info: RequestInfo,
        input: CloseScreeningInput,  # noqa: A002
    ) -> CloseScreeningResult:
        """See `services.screening`."""
        builder = await info.context.builder()
        registry = info.context.registry
        closing = await sessions.close_screening(registry, builder, input.screening_id)
        verdicts = closing.verdicts
        logged = None
        if closing.logged is not None:
            close_index = cast("int", closing.logged.close_index)  # it has just been closed
            logged = types.LoggedScreening(
                session_index=LogIndex(closing.logged.session_index),
                close_index=LogIndex(close_index),
                results_root=Base64(cast("bytes", closing.logged.results_root)),
                proof=await proofs.entry_proof(registry.publisher, close_index),
            )
        return types.ClosedScreening(
            id=input.screening_id,
            complete=closing.complete,
            answered=LogIndex(closing.answered),
            candidate_count=LogIndex(closing.candidate_count),
            verdicts=types.VerdictCounts(
                clear=LogIndex(verdicts[Verdict.CLEAR]),
                exclude=LogIndex(verdicts[Verdict.EXCLUDE]),
                permit=LogIndex(verdicts[Verdict.PERMIT]),
                unknown=LogIndex(verdicts[Verdict.UNKNOWN]),
            ),
            contested=LogIndex(closing.contested),
            overturned=LogIndex(closing.overturned),
            spaces=[
                types.SpaceCounts(
                    space=name,
                    present=LogIndex(count),
                    missing=LogIndex(closing.answered - count),
                )
                for name, count in closing.present.items()
            ],
            least_log_size=LogIndex(closing.least_log_size),
            greatest_log_size=LogIndex(closing.greatest_log_size),
            logged=logged,
        )

    @strawberry.mutation(
        description="Logs the certificate of a committed screening that was closed, once it is "
        "right; the same again gets the same answer. Needs a builder's token."
    )
    async def certify(self, info: RequestInfo, input: CertifyInput) -> CertifyResult:  # noqa: A002
        """See `services.certification`."""
        builder = await info.context.builder()
        registry = info.context.registry
        index = await certification.certify(
            registry, builder, input.screening_id, input.certificate
        )
        return types.Certification(
            certify_index=LogIndex(index),
            proof=await proofs.entry_proof(registry.publisher, index),
        )
