"""Keep an image out of AI training without giving up a name, an account or the image.

| module | for |
|---|---|
| `consent_client.protocol` | bytes and rules, pure; the registry's server uses the very same |
| `consent_client.errors` | everything the client raises on purpose |
"""

from consent_client.errors import ConsentError

__all__ = ["ConsentError"]
