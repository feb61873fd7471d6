"""What keeps an audit from being made; what an audit finds is no error but a report's.

ConsentError
└── Unreadable      what is to be audited can not be read; `.source` names it
"""

from consent_client.errors import ConsentError


class Unreadable(ConsentError):
    """What is to be audited can not be read, or is longer than anything of its kind.

    Attributes:
        source: the file, folder or address concerned.
    """

    code = "UNREADABLE"

    def __init__(self, message: str, source: str = "") -> None:
        super().__init__(message)
        self.source = source
