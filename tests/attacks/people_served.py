"""The broker as it is served to attackers of passwords: each hash is counted, and may be made cheap.

`DAYPASS_TEST_HASHED` names a file that gets one byte for each password that is looked at, whichever process does it;
`DAYPASS_TEST_MEMORY` is argon2's memory in KiB (one pass, one lane), empty: the parameters of production.
"""

import os
from pathlib import Path

from app import wiring
from app.signin.passwords import Hashing


class Counted(Hashing):
    """Says so, once for each."""

    def verify(self, encoded: str, password: str, *, reserved: bool) -> bool:
        right = super().verify(encoded, password, reserved=reserved)
        with Path(os.environ["DAYPASS_TEST_HASHED"]).open("ab", buffering=0) as said:
            said.write(b"h")
        return right


def counted() -> Counted:
    """As the environment says."""
    memory = os.environ.get("DAYPASS_TEST_MEMORY")
    return Counted(memory_kib=int(memory), passes=1, lanes=1) if memory else Counted()


def __getattr__(name: str) -> object:
    """`app`, made when a worker asks for it."""
    if name != "app":
        raise AttributeError(name)
    wiring.Hashing = counted  # type: ignore[assignment,misc]
    from tests.served import app

    return app
