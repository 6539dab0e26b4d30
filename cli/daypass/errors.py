"""What went wrong, in the four parts that each message has, and the exit codes.

252 to 255 are the AWS CLI's own; `exec` gives its child's.
"""

from __future__ import annotations

from collections.abc import Sequence

DONE = 0
USAGE = 2
SIGN_IN = 3
DENIED = 4
UNREACHABLE = 5
AWS = 6
LOCAL = 7
PENDING = 8
INTERRUPTED = 130


class Fail(Exception):
    """The command ends here. `main` prints it and exits with `code`."""

    def __init__(
        self, code: int, what: str, *, why: str = "", next: str = "", request_id: str = "", url: str = ""
    ) -> None:
        """
        Args:
            code: one of the exit codes above.
            what: what happened, a sentence.
            why: the reason, a sentence or more; the broker's own words where it was the broker.
            next: the one command to run.
            request_id: what the broker's people can look it up by.
            url: where a browser settles it.
        """
        super().__init__(what)
        self.code = code
        self.what = what
        self.why = why
        self.next = next
        self.request_id = request_id
        self.url = url


class Usage(Fail):
    """The command line or a name on it cannot be meant: exit code 2."""

    def __init__(self, what: str, *, why: str = "", next: str = "daypass --help") -> None:
        super().__init__(USAGE, what, why=why, next=next)


class SignInNeeded(Fail):
    """Nobody is signed in, or not any more: exit code 3."""

    def __init__(self, why: str = "Nobody is signed in here.", *, request_id: str = "") -> None:
        super().__init__(
            SIGN_IN, "A sign-in is needed.", why=why, next="daypass login", request_id=request_id
        )


class ProofNeeded(Fail):
    """The broker wants a second factor first, and says where: exit code 8, unless it is waited for (`stepup`)."""

    def __init__(self, why: str, *, url: str, kinds: Sequence[str] = (), request_id: str = "") -> None:
        super().__init__(PENDING, "A second factor is needed.", why=why, request_id=request_id, url=url)
        self.kinds = tuple(kinds)


class Local(Fail):
    """Something on this machine is in the way (a file, the keychain, a lock): exit code 7."""

    def __init__(self, what: str, *, why: str = "", next: str = "daypass doctor") -> None:
        super().__init__(LOCAL, what, why=why, next=next)


class Unwritable(Local):
    """A disk that takes nothing (full, read-only, over quota); what was asked for may be given without keeping it."""
