"""Consent receipts: 27560's fields, DPV's terms, no name, and only refusals."""

import json
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_client.errors import Malformed, NothingToExport
from consent_client.exports.consent_receipt import CONTEXT, Registered, consent_receipt
from consent_client.protocol.log import MAX_INDEX
from consent_client.protocol.statements import Basis, Purpose, Stance, Statement, Use
from tests.exports.conftest import DATA, STATEMENTS

# rdflib 7 reads JSON-LD through a class that it deprecates itself.
pytestmark = pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated")

DAY = 20_700
REFUSAL = Statement((Stance.NOT_ALLOWED,) * 4)
RECORDS = st.builds(
    Registered,
    st.sampled_from(["registry.example/2026", "a", '!"#%<>\\^`{|}~']),
    st.integers(0, MAX_INDEX),
    STATEMENTS,
)


def terms():
    """The names of DPV, by namespace."""
    known, namespace = {}, ""
    for line in (DATA / "dpv-2.2-terms.txt").read_text().splitlines():
        if line.startswith("https:"):
            namespace = line
        elif not line.startswith("#"):
            known.setdefault(namespace, set()).add(line)
    return known


TERMS = terms()


def receipt_of(statement, day=DAY):
    return consent_receipt(Registered("registry.example/2026", 12, statement), day)


def texts(value):
    """Every key, type and reference that names a term; and every text."""
    if isinstance(value, dict):
        for key, each in value.items():
            if key != "@context":
                yield key
                yield from texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)
    else:
        yield value


@given(RECORDS, st.integers(0, 40_000))
def test_a_receipt_has_the_refusals_and_nothing_else(record, day):
    statement = record.statement
    refused = [use for use in Use if statement.stance(use) is Stance.NOT_ALLOWED]
    if not refused or statement.basis is Basis.RIGHTSHOLDER or statement.expired(day):
        with pytest.raises(NothingToExport):
            consent_receipt(record, day)
        return
    value = json.loads(json.dumps(consent_receipt(record, day)))
    processes = value["dpv:hasProcess"]
    labels = [each["dpv:hasPurpose"]["skos:prefLabel"] for each in processes]
    assert labels == [f"cawg.{use.cawg}" for use in refused]
    assert {each["dpv:hasConsentStatus"] for each in processes} == {"dpv:ConsentRefused"}
    assert "ConsentGiven" not in json.dumps(value)
    # 27560 asks these two of every receipt.
    assert value["dpv:hasIdentifier"] == f"receipt of {record.origin} entry {record.register_index}"
    assert value["dct:conformsTo"]


@given(RECORDS)
def test_every_term_is_one_of_the_vocabulary(record):
    try:
        value = consent_receipt(record, 0)
    except NothingToExport:
        return
    prefixes = {name: iri for name, iri in CONTEXT.items() if isinstance(iri, str)}
    used = [each for each in texts(value) if each.partition(":")[0] in prefixes]
    dpv = [each for each in used if prefixes[each.partition(":")[0]] in TERMS]
    assert len(dpv) > 10
    for each in dpv:
        prefix, _, name = each.partition(":")
        assert name in TERMS[prefixes[prefix]], each


def test_every_purpose_a_statement_can_have_is_a_term():
    for purpose in list(Purpose)[1:]:
        prefix, _, name = purpose.term.partition(":")
        assert name in TERMS[CONTEXT[prefix]]


def test_what_is_given_for_and_until_when_is_said():
    statement = Statement(
        REFUSAL.stances,
        Basis.GUARDIAN,
        Purpose.PATIENT_INFORMATION_MANAGEMENT,
        DAY + 1,
    )
    value = receipt_of(statement)
    [*_, process] = value["dpv:hasProcess"]
    assert process["dpv:isIndicatedBy"]["@type"] == "dpv:GuardianOfDataSubject"
    assert process["dpv:hasPersonalData"]["dpv:hasPurpose"] == (
        "sector-health:PatientInformationManagement"
    )
    assert value["dct:valid"] == (date(1970, 1, 1) + timedelta(DAY + 1)).isoformat()
    assert value["dct:issued"] == (date(1970, 1, 1) + timedelta(DAY)).isoformat()
    receipt_of(statement, DAY + 1)
    with pytest.raises(NothingToExport):
        receipt_of(statement, DAY + 2)


def test_an_end_that_no_calendar_reaches_is_left_out():
    assert "dct:valid" not in receipt_of(Statement(REFUSAL.stances, valid_until=2**32 - 1))


@pytest.mark.parametrize(
    ("origin", "index"), [("", 1), ("a b", 1), ("a", -1), ("a", MAX_INDEX + 1)]
)
def test_what_names_no_record_is_refused(origin, index):
    with pytest.raises(Malformed):
        Registered(origin, index, REFUSAL)


def graph_of(value):
    rdflib = pytest.importorskip("rdflib")
    return rdflib.Graph().parse(data=json.dumps(value), format="json-ld")


def full(statement=None):
    return receipt_of(
        statement or Statement(REFUSAL.stances, Basis.AGENT, Purpose.MARKETING, DAY + 30)
    )


def test_as_rdf_every_term_is_defined_and_no_text_is_lost():
    graph = graph_of(full())
    rdflib = pytest.importorskip("rdflib")
    named = {str(each) for triple in graph for each in triple if isinstance(each, rdflib.URIRef)}
    outside = ("tag:consent-registry,2026:/", "http://purl.org/dc/terms/", str(rdflib.RDF))
    outside = (*outside, str(rdflib.SKOS))
    for iri in named:
        namespace, _, name = iri.partition("#")
        known = TERMS.get(f"{namespace}#", set())
        assert name in known or iri.startswith(outside), iri
    # JSON-LD drops what it has no term for, silently: each text has to come out.
    literals = {str(each) for each in graph.objects() if isinstance(each, rdflib.Literal)}
    for key in ("dpv:hasIdentifier", "dct:issued", "dct:valid", "dct:language"):
        assert full()[key] in literals
    # 12 of the receipt, 2 of the record, 2 of the person, 6 of each use refused and 2 of its name,
    # 3 of the picture, 2 of the controller, 1 of who speaks.
    assert len(graph) == 12 + 2 + 2 + 4 * (6 + 2) + 3 + 2 + 1


@pytest.mark.parametrize("basis", [Basis.DATA_SUBJECT, Basis.GUARDIAN, Basis.AGENT])
@pytest.mark.parametrize("given_for", [Purpose.UNSAID, Purpose.ACADEMIC_RESEARCH])
def test_it_has_the_shape_of_a_receipt(basis, given_for):
    pyshacl = pytest.importorskip("pyshacl")
    value = receipt_of(Statement(REFUSAL.stances, basis, given_for))
    conforms, _, text = pyshacl.validate(graph_of(value), shacl_graph=shapes())
    assert conforms, text


def shapes():
    rdflib = pytest.importorskip("rdflib")
    return rdflib.Graph().parse(DATA / "consent-receipt.shapes.ttl")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda value: value.pop("dpv:hasIdentifier"),
        lambda value: value.pop("dct:conformsTo"),
        lambda value: value.pop("dpv:hasProcess"),
        lambda value: value["dpv:hasDataSubject"].update({"dpv:hasName": "Jane"}),
        lambda value: value["dpv:hasProcess"][0].update(
            {"dpv:hasConsentStatus": "dpv:ConsentGiven"}
        ),
    ],
)
def test_the_shape_refuses_what_is_none(spoil):
    pyshacl = pytest.importorskip("pyshacl")
    value = json.loads(json.dumps(full()))
    spoil(value)
    assert not pyshacl.validate(graph_of(value), shacl_graph=shapes())[0]
