"""The door for those who run the broker: revisions, who can assume what, local people, factors, sessions, root.

Whoever holds the machine calls it by `python -m app`; signed-in people through `app.delegation`, which asks the
policy engine first. So pages and commands do the same, by the same steps, on the same record.
"""

from __future__ import annotations

from app.admin.configuring import (
    Answer,
    ClientChange,
    Comparison,
    FileChange,
    Plan,
    PolicyVersion,
    SourceChange,
    clients_changed,
    files_changed,
)
from app.admin.desk import By, Notices
from app.admin.doctoring import Doctoring
from app.admin.recovering import Recovering
from app.admin.rooting import RootState
from app.admin.sessions import EndingSessions
from app.admin.users import INVITED, RESET, UserChange, Users, inline_name


class Administration(Users, Recovering, EndingSessions, Doctoring):
    """Runs the broker. Safe to use from many threads at once."""


__all__ = [
    "INVITED",
    "RESET",
    "Administration",
    "Answer",
    "By",
    "ClientChange",
    "Comparison",
    "FileChange",
    "Notices",
    "Plan",
    "PolicyVersion",
    "RootState",
    "SourceChange",
    "UserChange",
    "clients_changed",
    "files_changed",
    "inline_name",
]
