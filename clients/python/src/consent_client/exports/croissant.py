"""A certificate, as a data set's Croissant description points to it.

Source: Croissant 1.0 (MLCommons), `cr:FileObject` among what is distributed, and from its
vocabulary for responsible AI `rai:dataPreprocessingProtocol`, which says in words what was done to
the data. The file's digest is in it, so that the description is of this certificate and no other.
"""

from hashlib import sha256
from typing import Final

from consent_client.errors import Malformed
from consent_client.protocol.certificates import verify_certificate
from consent_client.protocol.verdicts import Verdict

FILE_ID: Final = "consent-registry-certificate"
"""`@id` of the file within a description; a description has one certificate."""

ENCODING_FORMAT: Final = "application/json"
"""What a DSSE envelope is written in."""


def fragment(certificate: bytes, content_url: str) -> dict[str, object]:
    """The properties to add to a data set's Croissant description.

    `distribution` is to be appended to the list of that name that is there, the other to be set or
    appended likewise. The context of every Croissant 1.0 description has the words.

    Args:
        certificate: the envelope, byte for byte as it is handed out with the data set.
        content_url: where it lies, as `contentUrl` has it: a path beside the description, or an
            address.

    Raises:
        BadCertificate: not a certificate.
        BadSignature: not signed by its builder.
        WeakKey: a builder's key that proves nothing.
        Malformed: an empty `content_url`, or one with characters that are none of an address.
    """
    if not content_url or not content_url.isprintable() or " " in content_url:
        raise Malformed("not a path or an address")
    said = verify_certificate(certificate)
    shown = {each: said.verdicts[each] for each in Verdict}
    answers = ", ".join(f"{number} {each.name}" for each, number in shown.items())
    return {
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": FILE_ID,
                "name": FILE_ID,
                "description": (
                    "The builder's signed certificate of what was screened against the consent "
                    f"registry {said.registry}. Verify it before you rely on it."
                ),
                "contentUrl": content_url,
                "encodingFormat": ENCODING_FORMAT,
                "sha256": sha256(certificate).hexdigest(),
            }
        ],
        "rai:dataPreprocessingProtocol": (
            f"{said.count} pictures were screened against the consent registry {said.registry} "
            f"(log entries {said.session_index} to {said.close_index}; answers: {answers}). "
            f"{said.shipped_count} of those answered CLEAR or PERMIT are shipped. Opt-outs stated "
            "later, and pictures that were not recognised, are not covered."
        ),
    }
