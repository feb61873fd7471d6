"""`consent became`: which screenings left images out because of one's records."""

import datetime as dt
from typing import Annotated

import typer

from consent_client.cli.common import (
    EXIT_INCOMPLETE,
    Common,
    error_json,
    print_json,
    shown,
    with_common,
)
from consent_client.cli.record_texts import name_of
from consent_client.cli.records import named, registrant_of
from consent_client.cli.words import EPOCH
from consent_client.errors import ConsentError
from consent_client.operations import Exclusion, OwnRecord
from consent_client.protocol.encoding import encode_base64
from consent_client.protocol.log import DisputeOutcome, DisputeReason
from consent_client.protocol.statements import Use
from consent_client.saved_records import SavedRecord, Stage

_WHAT_IT_SAYS = (
    "These are builders who asked the registry, and left the images out of the set that they "
    "screened. A screening appears here some days after it has ended. Who never asks is not here, "
    "and a model that was trained before is not changed by it."
)
_NOTHING = (
    "No screening that can be told of yet has left an image out because of this. Either none of "
    "the sets that were screened had it, or it is too early, or those who have it never asked."
)
_OUTCOMES = {
    DisputeOutcome.STANDS: "the exclusion stands",
    DisputeOutcome.MISTAKEN: "it was another image than yours, and may stay; your record goes on",
    DisputeOutcome.ERASED: "your record was ended, as not yours to state",
}
_REASONS = {
    DisputeReason.SAME_IMAGE: "it is the same image",
    DisputeReason.SAME_PERSON: "it shows the same person",
    DisputeReason.UNDECIDED: "nobody can tell, and a refusal wins",
    DisputeReason.ANOTHER_IMAGE: "it is another image",
    DisputeReason.FALSE_STATEMENT: "the statement was false",
}
_USES = {
    Use.DATA_MINING: "data mining",
    Use.AI_INFERENCE: "use by AI systems",
    Use.AI_TRAINING: "AI training",
    Use.AI_GENERATIVE_TRAINING: "training of generative AI",
}


@with_common
def became(
    common: Common,
    records: Annotated[
        list[str] | None,
        typer.Argument(help="Labels (file names) or numbers (#3); all active ones if none."),
    ] = None,
) -> None:
    """Show which screenings left images out because of your records.

    Each record is asked about with its own key. The registry sees from one address which records
    belong together; ask for one at a time, from different places, if that matters to you.
    """
    state = common.state()
    found: list[tuple[SavedRecord, OwnRecord]] = []
    failed: list[ConsentError] = []
    with registrant_of(common, state) as registrant:
        kept = state.records(registrant.origin)
        chosen = (
            [named(kept, name) for name in records]
            if records
            else [each for each in kept if each.stage is Stage.REGISTERED and each.active]
        )
        for record in chosen:
            try:
                found.append((record, registrant.check(record)))
            except ConsentError as error:
                failed.append(error)
                common.note(f"{name_of(record)}: {error}")
        origin = registrant.origin
    if common.as_json:
        print_json(
            {
                "registry": origin,
                "records": [
                    {
                        "number": record.index,
                        "label": record.label,
                        "exclusions": [_json(each) for each in held.exclusions],
                        "disputes": [
                            {
                                "entry": each.index,
                                "outcome": each.outcome.name,
                                "reason": each.reason.name,
                            }
                            for each in held.disputes
                        ],
                    }
                    for record, held in found
                ],
                "failed": [error_json(error) for error in failed],
            }
        )
    else:
        _say(common, found)
    if failed:
        raise typer.Exit(EXIT_INCOMPLETE)


def _say(common: Common, found: list[tuple[SavedRecord, OwnRecord]]) -> None:
    if not found:
        common.say("You have no active records here.")
        return
    for record, held in found:
        common.say(shown(name_of(record)))
        for each in held.exclusions:
            common.say(f"  {_sentence(each)}")
        if not held.exclusions:
            common.say(f"  {_NOTHING}")
        for dispute in held.disputes:
            common.say(
                f"  A builder disputed that an image is left out. The operator looked at it and "
                f"decided: {_OUTCOMES[dispute.outcome]}, because {_REASONS[dispute.reason]} (log "
                f"entry {dispute.index})."
            )
    if any(held.exclusions for _, held in found):
        common.note(_WHAT_IT_SAYS)


def _sentence(each: Exclusion) -> str:
    images = "1 image was" if each.images == 1 else f"{each.images:,} images were"
    # Names are the builder's and the operator's: they may hold anything.
    dataset, organisation = shown(each.dataset), shown(each.organisation)
    certified = (
        ""
        if each.certify_index is None
        else f" There is a certificate: log entry {each.certify_index}."
    )
    return (
        f"{_day(each.day)}: {images} left out of “{dataset}” by {organisation}, for "
        f"{_USES[each.use]}.{certified}"
    )


def _day(day: int) -> str:
    try:
        return (EPOCH + dt.timedelta(days=day)).isoformat()
    except OverflowError:
        return f"day {day}"


def _json(each: Exclusion) -> dict[str, object]:
    return {
        "dataset": each.dataset,
        "organisation": each.organisation,
        "use": each.use.cawg,
        "day": _day(each.day),
        "images": each.images,
        "sessionIndex": each.session_index,
        "certifyIndex": each.certify_index,
        "certificate": None if each.certificate is None else encode_base64(each.certificate),
    }
