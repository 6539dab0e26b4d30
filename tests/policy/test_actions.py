"""The table of `daypass:` actions: each row can be granted as it is written, and mistakes are named."""

from __future__ import annotations

import pytest

from app.model import Group
from app.policy import Index, Kind, actions, lint
from tests.policy.builders import document, principal, revision, statement, text


@pytest.mark.parametrize("row", actions.ACTIONS, ids=str)
def test_a_row_is_granted_by_a_statement_with_its_own_name_and_form(row: actions.AdminAction) -> None:
    on = row.resource if not row.names else actions.PREFIX + row.kind + "*"
    made = statement(Action=row.name, Resource=on)
    index = Index.compile(revision(groups=[Group("g", policies=("p",))], policies=[text(made)]))
    assert index.permits(principal("g"), row.name, row.resource, {}).allowed
    assert lint(document(made)) == []


def test_no_two_rows_share_a_name_and_all_have_a_meaning() -> None:
    assert len({row.name.lower() for row in actions.ACTIONS}) == len(actions.ACTIONS)
    assert all(row.meaning and row.name.startswith("daypass:") for row in actions.ACTIONS)


def words(made: dict[str, object], kind: Kind = Kind.IDENTITY) -> list[str]:
    return [each.message for each in lint(document(made, kind=kind))]


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (
            statement(Action="daypass:ReadAudits", Resource=actions.AUDIT),
            ["daypass has no action `daypass:ReadAudits`; did you mean `daypass:ReadAudit`?"],
        ),
        (
            statement("Deny", Action="daypass:LendUser", Resource=actions.AUDIT),
            ["daypass has no action `daypass:LendUser`"],
        ),
        (
            statement("Deny", Action="daypass:Reed*", Resource="*"),
            ["daypass has no action `daypass:Reed*`"],
        ),
        (
            statement(Action="daypass:ReadAudit", Resource="arn:aws:daypass:::trail"),
            [
                "resource `arn:aws:daypass:::trail` names nothing of daypass; the forms are "
                "arn:aws:daypass:::configuration, arn:aws:daypass:::policy/NAME, arn:aws:daypass:::audit, "
                "arn:aws:daypass:::person/SOURCE/SUBJECT, arn:aws:daypass:::group/NAME, arn:aws:daypass:::root",
                "`daypass:ReadAudit` is asked on arn:aws:daypass:::audit, which this statement does not name",
            ],
        ),
        (
            statement(Action=["daypass:ReadAudit", "daypass:Read*"], Resource="arn:aws:daypass:::person/corp/*"),
            ["`daypass:ReadAudit` is asked on arn:aws:daypass:::audit, which this statement does not name"],
        ),
        (
            statement(Action="*", Resource="arn:aws:daypass:::*"),
            ["Allow of every action lets administer daypass too; write sts:AssumeRole, if only roles are meant"],
        ),
        (statement(Action="*", Resource="arn:aws:iam::111122223333:role/Admin"), []),
        (statement(Action="daypass:Read*", Resource="arn:aws:daypass:::*"), []),
        (statement(Action="daypass:ReadPeople", Resource="arn:aws:daypass:::person/*"), []),
        (statement(Action="daypass:ReadPeople", Resource="arn:aws:daypass:::person/corp/${aws:username}"), []),
        (statement(Action="daypass:ReadPeople", Resource="arn:aws:daypass:::person"), [
            "resource `arn:aws:daypass:::person` names nothing of daypass; the forms are "
            "arn:aws:daypass:::configuration, arn:aws:daypass:::policy/NAME, arn:aws:daypass:::audit, "
            "arn:aws:daypass:::person/SOURCE/SUBJECT, arn:aws:daypass:::group/NAME, arn:aws:daypass:::root",
            "`daypass:ReadPeople` is asked on arn:aws:daypass:::person/SOURCE/SUBJECT, which this statement does "
            "not name",
        ]),
    ],
)  # fmt: skip
def test_lint_names_what_cannot_be_meant(made: dict[str, object], expected: list[str]) -> None:
    assert words(made) == expected


def test_a_session_policy_of_everything_is_no_word_about_administration() -> None:
    made = statement(Action="*", Resource="arn:aws:daypass:::*")
    assert not any("administer" in each for each in words(made, Kind.SESSION))
