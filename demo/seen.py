"""Every fingerprint that was made, to look for it on the registry's disk."""

from dataclasses import dataclass, field

from consent_client.fingerprints.images import ImageFingerprints


@dataclass(slots=True)
class Seen:
    """All fingerprints, each once."""

    fingerprints: set[bytes] = field(default_factory=set, repr=False)

    def add(self, made: ImageFingerprints) -> None:
        """Takes down those of a picture."""
        self.fingerprints.update(each for many in made.fingerprints.values() for each in many)
