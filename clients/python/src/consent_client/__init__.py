"""Keep an image out of AI training without giving up a name, an account or the image.

| module | for |
|---|---|
| `consent_client.registrant` | people: state, see what became of it, withdraw |
| `consent_client.builder` | dataset builders: screen candidates, drop what must be dropped |
| `consent_client.fingerprints` | images to fingerprints, on this device |
| `consent_client.protocol` | bytes and rules, pure; the registry's server uses the very same |
| `consent_client.errors` | everything the client raises on purpose |

Nothing is imported here but the root of the errors: the server imports the protocol, and must not
pay for what only clients need.
"""

from consent_client.errors import ConsentError

__all__ = ["ConsentError"]
