"""The short form `allow` of a role, as statements."""

from __future__ import annotations

from app.model import PolicyText, Revision
from app.policy.document import Statement
from app.policy.filing import ACTION
from app.policy.patterns import Actions, Resource


def short_forms(revision: Revision) -> dict[str, list[Statement]]:
    """Each role's `allow` as statements of the groups it names, placed where it stands in the files."""
    actions = Actions((ACTION,))
    found: dict[str, list[Statement]] = {}
    for arn, role in revision.roles.items():
        if not role.allow:
            continue
        file, line = revision.short_form_places.get(arn, ("accounts.yaml", 1))
        source = PolicyText(name=f"accounts.yaml/{role.account}/{role.name}", text="", file=file, line=line)
        statement = Statement(
            source,
            0,
            None,
            None,
            deny=False,
            actions=actions,
            not_action=False,
            resources=(Resource(str(arn), variables=False),),
            not_resource=False,
            conditions=(),
        )
        for group in dict.fromkeys(role.allow):
            found.setdefault(group, []).append(statement)
    return found
