"""Croissant: valid within a description, and the digest is the certificate's."""

import json
from hashlib import sha256

import pytest

from consent_client.errors import BadCertificate, BadSignature, Malformed
from consent_client.exports.croissant import FILE_ID, fragment
from consent_client.protocol.certificates import sign_certificate
from tests.exports.conftest import DATA as FOLDER
from tests.protocol.test_certificates import CERTIFICATE, KEY, OTHER, envelope

DATA = sign_certificate(CERTIFICATE, KEY)


def test_it_points_to_this_certificate_and_no_other():
    [file] = fragment(DATA, "certificate.json")["distribution"]
    assert file["sha256"] == sha256(DATA).hexdigest()
    assert file["contentUrl"] == "certificate.json"


def test_it_says_what_the_certificate_says():
    text = fragment(DATA, "certificate.json")["rai:dataPreprocessingProtocol"]
    for each in ("1000 pictures", "registry.example/2026", "7 EXCLUDE", "1 UNKNOWN", "980 of"):
        assert each in text


def test_what_is_no_certificate_is_not_pointed_to():
    with pytest.raises(BadCertificate):
        fragment(b"{}", "certificate.json")
    spoilt = json.loads(DATA)
    spoilt["signatures"][0]["sig"] = json.loads(envelope(b"{}"))["signatures"][0]["sig"]
    with pytest.raises(BadSignature):
        fragment(json.dumps(spoilt, separators=(",", ":"), sort_keys=True).encode(), "a")
    with pytest.raises(BadCertificate):
        fragment(envelope(CERTIFICATE.payload(), OTHER), "certificate.json")


# The context of Croissant 1.0, and what it asks of every description.
DESCRIPTION = json.loads((FOLDER / "croissant-1.0.json").read_text())


# pandas and rdflib, which mlcroissant brings, warn of themselves.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_description_with_it_is_valid():
    mlcroissant = pytest.importorskip("mlcroissant")
    added = fragment(DATA, "certificate.json")
    read = mlcroissant.Metadata.from_json(mlcroissant.Context(), {**DESCRIPTION, **added})
    assert read.ctx.issues.errors == set()
    assert read.ctx.issues.warnings == set()
    [file] = read.distribution
    assert (file.id, file.sha256) == (FILE_ID, sha256(DATA).hexdigest())
    assert read.data_preprocessing_protocol == [added["rai:dataPreprocessingProtocol"]]
    spoilt = {**DESCRIPTION, "distribution": [{**added["distribution"][0], "sha256": None}]}
    with pytest.raises(mlcroissant.ValidationError):
        mlcroissant.Metadata.from_json(mlcroissant.Context(), spoilt)


@pytest.mark.parametrize("url", ["", "a b", "a\nb"])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(Malformed):
        fragment(DATA, url)
