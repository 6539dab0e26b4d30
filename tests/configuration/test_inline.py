"""Policies that stand in YAML: the same document as JSON, with true lines; a role's speaks of that role alone."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from app.configuration import inline
from app.configuration.document import parse
from app.configuration.places import Place
from app.configuration.problems import Problems
from app.model import Authentication, Caller, Identity, SourceId
from app.policy import Index
from app.policy import parse as parse_policy
from app.principal import principal
from tests.configuration.builders import FILES, edited, files, revision, said
from tests.policy.builders import NOW

ADMIN = "arn:aws:iam::111122223333:role/Admin"
READ_ONLY = "arn:aws:iam::111122223333:role/ReadOnly"
GROUPS = """\
sre:
  policies: [aws:PowerUserAccess]
  inline:
    night-watch:
      Version: "2012-10-17"
      Statement:
        - Sid: Night
          Effect: Allow
          Action: sts:AssumeRole

          Resource: arn:aws:iam::111122223333:role/ReadOnly
        - {Sid: NotAdmin, Effect: Deny, Action: "sts:AssumeRole",
           Resource: "arn:aws:iam::111122223333:role/Admin"}
"""
ROLE = """\
"111122223333":
  name: production
  roles:
    Admin:
      allow: [sre]
      inline:
        break-glass:
          groups: [engineering, contractors]
          policy:
            Version: "2012-10-17"
            Statement:
              - Sid: WithMfa
                Effect: Allow
                Condition: {Bool: {aws:MultiFactorAuthPresent: "true"}}
    ReadOnly: {level: read, allow: [engineering, contractors], session_policy: no-secrets}
"""


def may(made: dict[str, str], theirs: str, role: str, *, mfa: bool = False) -> bool:
    found = revision(made)
    index = Index.compile(found)
    identity = Identity(
        SourceId("corp"),
        "s",
        "ana",
        {"memberOf": (theirs,)},
        Authentication(NOW, mfa_at=NOW if mfa else None),
    )
    who = principal(identity, found)
    contexts = index.contexts(who, Caller("r", "203.0.113.7"), NOW)
    return index.decide(who, found.roles[role], contexts(found.roles[role])).allowed


# --- a group's own ----------------------------------------------------------------------------------


def test_a_groups_own_policy_counts_for_that_group_alone() -> None:
    made = files(groups=GROUPS)
    assert may(made, "Ops", READ_ONLY)
    assert not may(made, "Ops", ADMIN)  # though `allow` has it
    assert [each.name for each in revision(made).groups["sre"].inline] == ["groups.yaml/sre/night-watch"]
    assert revision(made).groups["engineering"].inline == ()


def test_statements_are_on_the_lines_of_the_file() -> None:
    text = revision(files(groups=GROUPS)).groups["sre"].inline[0]
    assert [each.reference.line for each in parse_policy(text).statements] == [7, 12]
    assert (text.file, text.line) == ("groups.yaml", 5)


def test_what_is_wrong_in_it_is_said_with_the_line_of_the_file() -> None:
    assert said(
        files(
            groups=GROUPS.replace("Sid: Night\n          Effect: Allow", "Sid: Night\n          Efect: Allow")
        )
    ) == [
        'config/groups.yaml:7  statement 1 (Night): Effect must be "Allow" or "Deny", and is missing',
        "config/groups.yaml:8  statement 1 (Night): `Efect` is no element of the policy language; did you mean `Effect`?",
    ]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("Effect: Allow", "Effect: on", '8:19  Effect  YAML does not read this as text; quote it: `"on"`'),
        ('Version: "2012-10-17"', "Version: 2012-10-18", '5  Version must be "2012-10-17"'),
        ("night-watch:", "night watch:", "4:5  night watch  expected a policy's name"),
        ("Statement:", "Statements:", "5  Statement is missing"),
    ],
)
def test_odd_documents_are_said_in_words(old: str, new: str, words: str) -> None:
    found = said(files(groups=GROUPS.replace(old, new, 1)))
    assert any(line.startswith(f"config/groups.yaml:{words}") for line in found), found


@pytest.mark.parametrize("value", ["[1]", "text", "7"])
def test_a_policy_that_is_no_mapping_is_said(value: str) -> None:
    assert said(files(groups=f"sre: {{inline: {{x: {value}}}}}\n"))[0].startswith(
        "config/groups.yaml:1:19  x  expected a mapping"
    )


# --- a role's own -----------------------------------------------------------------------------------


def test_a_roles_own_policy_opens_that_role_to_the_groups_it_names_on_its_conditions() -> None:
    made = files(accounts=ROLE)
    assert may(made, "Engineering", ADMIN, mfa=True)
    assert not may(made, "Engineering", ADMIN)
    assert may(made, "Engineering", READ_ONLY)
    found = revision(made)
    names = {name: [each.name for each in group.inline] for name, group in found.groups.items()}
    assert names == {
        "contractors": ["accounts.yaml/111122223333/Admin/break-glass"],
        "engineering": ["accounts.yaml/111122223333/Admin/break-glass"],
        "sre": [],
    }
    statement = parse_policy(found.groups["engineering"].inline[0]).statements[0]
    assert (statement.reference.line, [each.text for each in statement.resources]) == (12, [ADMIN])


def test_it_may_name_its_role_and_its_action() -> None:
    made = ROLE.replace(
        "Effect: Allow",
        f'Effect: Allow\n                Action: "sts:*"\n                Resource: ["{ADMIN}"]',
    )
    assert may(files(accounts=made), "Engineering", ADMIN, mfa=True)


@pytest.mark.parametrize(
    "named",
    [
        'Resource: "*"',
        f"Resource: {READ_ONLY}",
        f"Resource: [{ADMIN}, {READ_ONLY}]",
        f"NotResource: {READ_ONLY}",
    ],
)
def test_it_cannot_speak_of_another_role(named: str) -> None:
    made = files(accounts=ROLE.replace("Effect: Allow", f"Effect: Allow\n                {named}"))
    (words,) = said(made)
    assert words.startswith("config/accounts.yaml:14:17  ")
    assert "a role's inline policy speaks of that role alone" in words


def test_groups_that_nobody_has_and_empty_lists_are_said() -> None:
    assert said(
        files(
            accounts=ROLE.replace(
                "[engineering, contractors]\n          policy", "[enginering]\n          policy"
            )
        )
    ) == [
        "config/accounts.yaml:8:20  groups  unknown group; no provider's `groups` gives it, and `groups.yaml` does not "
        "have it; did you mean `engineering`?"
    ]
    (words,) = said(
        files(accounts=ROLE.replace("[engineering, contractors]\n          policy", "[]\n          policy"))
    )
    assert words.startswith("config/accounts.yaml:8:11  groups  expected the groups that the policy is for")
    (words,) = said(files(accounts=ROLE.replace("          groups: [engineering, contractors]\n", "")))
    assert words.startswith("config/accounts.yaml:7:9  groups  is missing")


def test_a_group_of_a_source_can_be_named() -> None:
    made = {
        **edited("providers/corp.yaml", ("Ops: sre}", 'Ops: sre, "*": keep}')),
        "accounts.yaml": ROLE.replace(
            "[engineering, contractors]\n          policy", "[corp/Night]\n          policy"
        ),
    }
    assert may(made, "Night", ADMIN, mfa=True)
    assert not may(made, "Night", ADMIN)


def test_inline_policies_are_part_of_the_digest() -> None:
    assert (
        len({revision(made).digest for made in (dict(FILES), files(groups=GROUPS), files(accounts=ROLE))})
        == 3
    )


# --- the lay-out ------------------------------------------------------------------------------------

_LEAVES = st.one_of(
    st.text(
        st.characters(min_codepoint=32, max_codepoint=255, exclude_categories=["Cc", "Cs", "Zl"]), max_size=12
    ),
    st.booleans(),
    st.integers(-999, 999),
)
_TREES = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.text("abcXYZ:/_", min_size=1, max_size=8), inner, max_size=4),
    ),
    max_leaves=20,
)


@given(
    st.dictionaries(st.text("abcXYZ:", min_size=1, max_size=8), _TREES, min_size=1, max_size=5), st.booleans()
)
def test_yaml_becomes_the_same_document_with_every_name_on_its_own_line(
    tree: dict[str, object], flow: bool
) -> None:
    text = yaml.safe_dump(
        {"x": tree}, default_flow_style=flow, default_style='"', allow_unicode=True, width=30
    )
    place = parse("groups.yaml", text.replace("!!int ", "").replace("!!bool ", ""), Problems())
    assert place is not None
    node = place.find(("x",))
    writer = inline._Writer(node.mark.line, {})
    writer.value(node)
    told = json.loads(writer.text)
    assert _texts(told) == _texts(tree)
    for name, (mark, _) in node.entries.items():
        line = writer.text.split("\n")[mark.line - node.mark.line]
        assert json.dumps(name, ensure_ascii=False) in line


def _texts(value: object) -> object:
    """Numbers and booleans as the text that quoted YAML makes of them."""
    if isinstance(value, dict):
        return {name: _texts(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_texts(each) for each in value]
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_a_document_is_laid_out_line_for_line() -> None:
    place = parse(
        "g", "x:\n  a: 1\n\n  b:\n  - yes\n  - {c: d,\n     e: f}\n".replace("yes", "y1"), Problems()
    )
    assert isinstance(place, Place)
    writer = inline._Writer(2, {})
    writer.value(place.find(("x",)))
    assert writer.text == '{"a": 1, \n\n"b": \n["y1", \n{"c": "d", \n"e": "f"}]}'
