"""What keeps an audit from being made; what an audit finds is no error but a report's.

ConsentError
└── Unreadable      what is to be audited can not be read; `.source` names it
"""

from consent_client.errors import BadProof, ConsentError


class Unreadable(ConsentError):
    """What is to be audited can not be read, or is longer than anything of its kind.

    Attributes:
        source: the file, folder or address concerned.
    """

    code = "UNREADABLE"

    def __init__(self, message: str, source: str = "") -> None:
        super().__init__(message)
        self.source = source


class NotPublished(BadProof):
    """A log does not publish what its checkpoint signs, so that nothing can be proved by it.

    Attributes:
        path: of the file, below the log.
    """

    code = "NOT_PUBLISHED"

    def __init__(self, path: str, why: str = "it is not there") -> None:
        super().__init__(f"{path}: the checkpoint signs it, and {why}")
        self.path = path
