"""A refusal as a consent receipt by ISO/IEC TS 27560, in terms of the Data Privacy Vocabulary.

Sources: "Consent Records and Receipts as per ISO/IEC TS 27560:2023 using DPV" (W3C community group
DPVCG, final report of 2024-08-01) for which term says which field, and DPV 2.2 for the terms.
27560 asks two fields of a receipt, its identifier and the version of its schema; the others are
those a registry without names has. JSON-LD with its context inside: nothing is fetched to read it.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final
from urllib.parse import quote

from consent_client.errors import Malformed, NothingToExport
from consent_client.protocol.log import MAX_INDEX
from consent_client.protocol.origins import check_origin
from consent_client.protocol.statements import Basis, Purpose, Stance, Statement, Use

SCHEMA: Final = "tag:consent-registry,2026:/consent-receipt/v1"
"""Version of this schema: a name (RFC 4151), no address.

Not `dpv-27560:receipt-record`: that profile wants a copy of a controller's whole record, with
places and times of storage, and there is no controller here.
"""

CONTEXT: Final = {
    "dct": "http://purl.org/dc/terms/",
    "dpv": "https://w3id.org/dpv#",
    "pd": "https://w3id.org/dpv/pd#",
    "sector-health": "https://w3id.org/dpv/sector/health#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "dct:conformsTo": {"@type": "@id"},
    "dct:issued": {"@type": "xsd:date"},
    "dct:valid": {"@type": "xsd:date"},
    "dpv:hasConsentStatus": {"@type": "@id"},
    "dpv:hasPurpose": {"@type": "@id"},
}

ANY_CONTROLLER: Final = "Whoever builds, offers or uses a data set with this picture; nobody named."

_SPEAKERS = {Basis.GUARDIAN: "dpv:GuardianOfDataSubject", Basis.AGENT: "dpv:Representative"}
"""Who speaks, where it is not the person in the picture."""

_EPOCH = date(1970, 1, 1)
_LAST_DAY = (date.max - _EPOCH).days


@dataclass(frozen=True, slots=True)
class Registered:
    """A record as a receipt names it: by its place in the log, for there is no other name.

    Attributes:
        origin: the registry's.
        register_index: of its REGISTER entry.
        statement: what it states.

    Raises:
        Malformed: no origin, or an index no log has.
    """

    origin: str
    register_index: int
    statement: Statement

    def __post_init__(self) -> None:
        check_origin(self.origin)
        if not 0 <= self.register_index <= MAX_INDEX:
            raise Malformed("an index out of range")

    @property
    def identifier(self) -> str:
        """`registry.example/2026 entry 12`; an origin has no spaces."""
        return f"{self.origin} entry {self.register_index}"

    def name(self, kind: str) -> str:
        """A tag URI for what of it is meant."""
        place = f"{quote(self.origin, safe='')}/{self.register_index}"
        return f"tag:consent-registry,2026:/{kind}/{place}"


def consent_receipt(record: Registered, day: int) -> dict[str, object]:
    """The receipt, JSON-LD.

    Only uses that are refused are in it. What a record allows is not: DPV's `ConsentGiven` is a
    state that processing may rest on, and an unchecked statement to nobody in particular is not.

    Args:
        record: of which record.
        day: the UTC day it is issued, days since 1970-01-01.

    Raises:
        NothingToExport: no use is refused, the statement has expired, or a rightsholder makes it:
            consent by 27560 is about data of a person, not about works.
    """
    statement = record.statement
    if statement.basis is Basis.RIGHTSHOLDER:
        raise NothingToExport(
            "a consent receipt is about personal data, and a rightsholder makes this statement"
        )
    if statement.expired(day):
        raise NothingToExport("the statement has expired")
    refused = [use for use in Use if statement.stance(use) is Stance.NOT_ALLOWED]
    if not refused:
        raise NothingToExport("the record refuses nothing; only refusals are in a consent receipt")
    receipt: dict[str, object] = {
        "@context": CONTEXT,
        "@id": record.name("consent-receipt"),
        "@type": "dpv:ConsentReceipt",
        "dct:conformsTo": SCHEMA,
        "dct:issued": _date(day),
        "dct:language": "en",
        "dpv:hasIdentifier": f"receipt of {record.identifier}",
        "dct:references": {
            "@id": record.name("consent-record"),
            "@type": "dpv:ConsentRecord",
            "dpv:hasIdentifier": record.identifier,
        },
        "dpv:hasDataSubject": {
            "@id": record.name("data-subject"),
            "@type": "dpv:DataSubject",
            "dpv:hasIdentifier": f"person of {record.identifier}",
        },
        "dpv:hasProcess": [_process(record, use) for use in refused],
    }
    if statement.valid_until and statement.valid_until <= _LAST_DAY:
        receipt["dct:valid"] = _date(statement.valid_until)
    return receipt


def _process(record: Registered, use: Use) -> dict[str, object]:
    statement = record.statement
    picture: dict[str, object] = {
        "@id": record.name("picture"),
        "@type": ["dpv:PersonalData", "pd:Picture"],
    }
    if statement.given_for is not Purpose.UNSAID:
        picture["dpv:hasPurpose"] = statement.given_for.term
    process: dict[str, object] = {
        "@id": f"{record.name('process')}/{use.cawg}",
        "@type": "dpv:Process",
        "dpv:hasPurpose": {
            "@id": f"tag:consent-registry,2026:/use/{use.cawg}",
            "@type": "dpv:Purpose",
            "skos:prefLabel": f"cawg.{use.cawg}",
        },
        "dpv:hasPersonalData": picture,
        "dpv:hasDataController": {
            "@id": "tag:consent-registry,2026:/any-data-controller",
            "@type": "dpv:DataController",
            "dct:description": ANY_CONTROLLER,
        },
        "dpv:hasConsentStatus": "dpv:ConsentRefused",
    }
    if statement.basis in _SPEAKERS:
        process["dpv:isIndicatedBy"] = {
            "@id": record.name("speaker"),
            "@type": _SPEAKERS[statement.basis],
        }
    return process


def _date(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).isoformat()
