"""The Principal element of a trust policy. IAM User Guide, "AWS JSON policy elements: Principal"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_ACCOUNT: Final = re.compile(r"[0-9]{12}", re.ASCII)
_ARN: Final = re.compile(
    r"arn:(?P<partition>[a-z-]+):(?:iam::(?P<account>[0-9]{12}):(?:root|user/.+|role/.+)"
    r"|sts::[0-9]{12}:(?:assumed-role/[^/]+/[^/]+|federated-user/.+))",
    re.ASCII,
)
_ROOT: Final = re.compile(r"arn:[a-z-]+:iam::([0-9]{12}):root", re.ASCII)
_FEDERATED: Final = re.compile(
    r"arn:[a-z-]+:iam::[0-9]{12}:(?:saml-provider|oidc-provider)/\S+|[a-z0-9-]+(?:\.[a-z0-9-]+)+", re.ASCII
)
_SERVICE: Final = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+", re.ASCII)
KINDS: Final = ("AWS", "Federated", "Service")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls STS. Leave out what does not apply."""

    arn: str = ""
    """Of the user or of the session (`arn:aws:sts::A:assumed-role/N/SESSION`)."""
    account: str = ""
    role: str = ""
    """For a session of a role: the role's ARN."""
    federated: str = ""
    """For AssumeRoleWithSAML and …WithWebIdentity: ARN or built-in name of the provider."""
    service: str = ""


@dataclass(frozen=True, slots=True)
class Principals:
    """Who a statement is about; an OR."""

    everyone: bool
    accounts: frozenset[str]
    arns: frozenset[str]
    federated: frozenset[str]
    services: frozenset[str]

    def names(self, caller: Caller) -> bool:
        """True if the caller is one of them."""
        return (
            self.everyone
            or caller.account in self.accounts
            or caller.arn in self.arns
            or caller.role in self.arns
            or caller.federated in self.federated
            or caller.service in self.services
        )


def read(element: object) -> Principals | str:
    """The element, or what is wrong with it."""
    if element == "*":
        return Principals(True, frozenset(), frozenset(), frozenset(), frozenset())
    if not isinstance(element, dict) or not element:
        return 'must be an object such as {"AWS": "arn:aws:iam::111122223333:root"}'
    everyone = False
    accounts: set[str] = set()
    arns: set[str] = set()
    federated: set[str] = set()
    services: set[str] = set()
    for kind, value in element.items():
        if kind not in KINDS:
            return f"knows no `{kind}`; write AWS, Federated or Service"
        listed = value if isinstance(value, list) else [value]
        if not listed or any(type(each) is not str for each in listed):
            return f"{kind} must be a string or a list of strings"
        for each in listed:
            root = _ROOT.fullmatch(each)
            if kind == "AWS" and each == "*":
                everyone = True
            elif kind == "AWS" and _ACCOUNT.fullmatch(each):
                accounts.add(each)
            elif kind == "AWS" and root:
                accounts.add(root[1])
            elif kind == "AWS" and _ARN.fullmatch(each) and "*" not in each and "?" not in each:
                arns.add(each)
            elif kind == "Federated" and _FEDERATED.fullmatch(each) and "*" not in each:
                federated.add(each)
            elif kind == "Service" and _SERVICE.fullmatch(each):
                services.add(each)
            else:
                return (
                    f"`{each}` names no {kind} principal; write a whole ARN or account number "
                    "(a pattern belongs into ArnLike on aws:PrincipalArn)"
                )
    return Principals(
        everyone, frozenset(accounts), frozenset(arns), frozenset(federated), frozenset(services)
    )
