"""managed: policy templates that ship with daypass, named `aws:NAME` and meant as AWS's.

For roles, the level decides: AdministratorAccess opens every role, PowerUserAccess those of level power
or read, ReadOnlyAccess those of level read. A role without a level is admin's alone.

None of them lets anybody administer daypass: AdministratorAccess is about AWS, and who holds every role need
not be who may read the audit record of it. That takes a policy of your own with `daypass:` actions.
"""

from __future__ import annotations

from importlib import resources
from typing import Final

from app.model import PolicyText

NAMES: Final = ("AdministratorAccess", "PowerUserAccess", "ReadOnlyAccess")
PREFIX: Final = "aws:"


def text(name: str) -> PolicyText | None:
    """The template called `aws:NAME`; None if there is none."""
    bare = name.removeprefix(PREFIX)
    if not name.startswith(PREFIX) or bare not in NAMES:
        return None
    source = resources.files(__name__).joinpath(f"{bare}.json").read_text("utf-8")
    return PolicyText(name=name, text=source, file=f"app/policy/managed/{bare}.json")
