"""The table of `daypass:` actions: who may administer what, decided by the engine that decides on roles.

Every row is in force: a page asks for it, and nothing else of daypass is open to policies. The docs table
comes from here. The short form `allow` grants none of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.policy.patterns import Actions, Glob, Resource, Variable, Wild
from app.policy.text import fold

SERVICE: Final = "daypass"
PREFIX: Final = f"arn:aws:{SERVICE}:::"
"""The same in every partition: the broker is no resource of AWS's, and has neither region nor account."""


@dataclass(frozen=True, slots=True)
class AdminAction:
    """One row."""

    name: str
    kind: str
    """What it is asked on: a whole name, or one that ends in `/` and goes on with other names."""
    names: str
    """Those other names, for the reader: `SOURCE/SUBJECT`."""
    meaning: str

    @property
    def resource(self) -> str:
        """Form of the ARN that it is asked on; words in capitals stand for names."""
        return f"{PREFIX}{self.kind}{self.names}"


def _row(name: str, resource: str, meaning: str) -> AdminAction:
    kind, slash, names = resource.partition("/")
    return AdminAction(f"{SERVICE}:{name}", kind + slash, names, meaning)


CONFIGURATION: Final = f"{PREFIX}configuration"
AUDIT: Final = f"{PREFIX}audit"
ROOT: Final = f"{PREFIX}root"

READ_CONFIGURATION: Final = _row(
    "ReadConfiguration", "configuration", "see the revisions, what is in them and how two of them differ"
)
APPLY_CONFIGURATION: Final = _row(
    "ApplyConfiguration",
    "configuration",
    "plan what the server's configuration folder would change, and make it the active revision",
)
ROLLBACK_CONFIGURATION: Final = _row(
    "RollbackConfiguration", "configuration", "make an earlier revision the active one again"
)
WRITE_POLICY: Final = _row(
    "WritePolicy",
    "policy/NAME",
    "draft a policy of that name with the generator, and see whom among those one may read it would grant what",
)
READ_AUDIT: Final = _row("ReadAudit", "audit", "search the audit record")
READ_PEOPLE: Final = _row(
    "ReadPeople", "person/SOURCE/SUBJECT", "see that person, their groups and when they signed in"
)
EXPLAIN_ACCESS: Final = _row(
    "ExplainAccess", "person/SOURCE/SUBJECT", "see why that person may or may not use a role"
)
SIGN_IN: Final = _row(
    "SignIn",
    "person/SOURCE/SUBJECT",
    "sign in. Needs no Allow: only a Deny counts, so that a policy can ask for MFA or forbid a way of signing in; and only "
    "one whose Action names it (`daypass:SignIn`, `daypass:*`), not `*` nor NotAction",
)
CREATE_USER: Final = _row(
    "CreateUser", "person/SOURCE/SUBJECT", "create a local user (SUBJECT is `*` then), with the first link"
)
CHANGE_USER: Final = _row(
    "ChangeUser",
    "person/SOURCE/SUBJECT",
    "change a local user's name and address (an address takes `daypass:ResetPassword` too), disable, enable",
)
DELETE_USER: Final = _row("DeleteUser", "person/SOURCE/SUBJECT", "delete a local user for good")
ATTACH_USER_POLICY: Final = _row(
    "AttachUserPolicy",
    "person/SOURCE/SUBJECT",
    "attach policies to a local user, inline ones and a boundary too, and take them away",
)
ATTACH_POLICY: Final = _row(
    "AttachPolicy",
    "policy/NAME",
    "attach that policy to users, beside `daypass:AttachUserPolicy` on them; NAME of an inline one is `user/USERNAME/NAME`",
)
CHANGE_MEMBERS: Final = _row(
    "ChangeMembers", "group/NAME", "put local users into that group and take them out"
)
RESET_PASSWORD: Final = _row(
    "ResetPassword", "person/SOURCE/SUBJECT", "make a one-time link with which a local user sets a password"
)
RECOVER_FACTORS: Final = _row(
    "RecoverFactors",
    "person/SOURCE/SUBJECT",
    "ask that a person's second factors be taken away, and approve what another administrator asked",
)
READ_FACTORS: Final = _row(
    "ReadFactors", "person/SOURCE/SUBJECT", "see which second factors a person has, and since when"
)
READ_SESSIONS: Final = _row("ReadSessions", "person/SOURCE/SUBJECT", "see where a person is signed in")
END_SESSIONS: Final = _row("EndSessions", "person/SOURCE/SUBJECT", "end a person's sessions")
READ_ROOT: Final = _row("ReadRoot", "root", "see when root was used, by which reason")
SIGN_OFF_ROOT: Final = _row("SignOffRoot", "root", "sign off a use of root")

ACTIONS: Final[tuple[AdminAction, ...]] = (
    READ_CONFIGURATION,
    APPLY_CONFIGURATION,
    ROLLBACK_CONFIGURATION,
    WRITE_POLICY,
    READ_AUDIT,
    READ_PEOPLE,
    EXPLAIN_ACCESS,
    SIGN_IN,
    CREATE_USER,
    CHANGE_USER,
    DELETE_USER,
    ATTACH_USER_POLICY,
    ATTACH_POLICY,
    CHANGE_MEMBERS,
    RESET_PASSWORD,
    RECOVER_FACTORS,
    READ_FACTORS,
    READ_SESSIONS,
    END_SESSIONS,
    READ_ROOT,
    SIGN_OFF_ROOT,
)


def policy_resource(name: str) -> str:
    """ARN of a policy of `config/policies/`."""
    return f"{PREFIX}policy/{name}"


def group_resource(name: str) -> str:
    """ARN of a flat group."""
    return f"{PREFIX}group/{name}"


def person_resource(source: str, subject: str) -> str:
    """ARN of a person. The subject may hold any character: in a question it is text, never a pattern."""
    return f"{PREFIX}person/{source}/{subject}"


def concerns(actions: Actions, *, negated: bool) -> bool:
    """True if a statement with these actions (`negated`: with all but these) can be about daypass itself."""
    if negated:
        return not any(text == "*" or fold(text) == f"{SERVICE}:*" for text in actions.texts)
    return any(text == "*" or _own(text) for text in actions.texts)


def names_own(actions: Actions, *, negated: bool) -> bool:
    """True if a statement speaks of daypass by name, and not only of everything (`*`, NotAction)."""
    return not negated and any(_own(text) for text in actions.texts)


def covered(text: str) -> tuple[AdminAction, ...]:
    """The rows that an entry of an Action list covers."""
    wanted = Actions((text,))
    return tuple(row for row in ACTIONS if wanted.match(fold(row.name)))


def misspelt(text: str) -> bool:
    """True for an entry of an Action list that names a `daypass:` action which there is not."""
    return _own(text) and not covered(text)


def speaks_of_daypass(resource: Resource) -> bool:
    """True for an entry of Resource that names things of daypass and no others."""
    return resource.text.split(":")[2:3] == [SERVICE]


def reaches(resource: Resource, row: AdminAction) -> bool:
    """True if an entry of Resource can match what the row is asked on, for some names."""
    if resource.everything:
        return True
    beginning = PREFIX + row.kind
    if not row.names:
        return Glob(Wild.MANY if isinstance(part, Variable) else part for part in resource.parts).matches(
            beginning
        )
    return resource.prefix.startswith(beginning) or (
        beginning.startswith(resource.prefix) and len(resource.parts) > 1
    )


def _own(text: str) -> bool:
    return fold(text).startswith(f"{SERVICE}:")
