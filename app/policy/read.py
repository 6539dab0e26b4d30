"""A policy's text to a `Document`, or all that is wrong with it.

Refused is what IAM refuses when a policy is saved (IAM User Guide, "Grammar of the IAM JSON policy
language", "IAM JSON policy elements reference", and answers of IAM recorded in public tests).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import Final, NoReturn

from app.model import PolicyText
from app.policy import condition_keys, conditions, places, principals, unverified, values
from app.policy.conditions import Condition, Quantifier
from app.policy.document import CURRENT, OLD, Document, Kind, Statement
from app.policy.patterns import Actions, Resource
from app.policy.places import Step
from app.policy.problems import PolicyInvalid, PolicyProblem
from app.policy.text import fold

LONGEST: Final = {
    Kind.IDENTITY: 10_240,
    Kind.GUARDRAIL: 10_240,
    Kind.BOUNDARY: 6_144,
    Kind.SESSION: 2_048,
    Kind.TRUST: 4_096,
}
"""Characters without white space (IAM User Guide, "IAM and AWS STS quotas"); the most that IAM takes."""

_FOREIGN: Final = re.compile("[^\t\n\r\x20-\xff]")
_SID: Final = re.compile(r"[0-9A-Za-z]*", re.ASCII)
_PREFIX: Final = re.compile(r"[A-Za-z0-9.-]+", re.ASCII)
_IAM_PATHS: Final = (
    "user/", "federated-user/", "role/", "group/", "instance-profile/", "mfa/", "server-certificate/",
    "policy/", "sms-mfa/", "saml-provider/", "oidc-provider/", "report/", "access-report/",
)  # fmt: skip


class Number(str):
    """A JSON number, kept as its text."""

    __slots__ = ()


class Repeated(dict[str, object]):
    """A JSON object in which a key stood twice."""

    __slots__ = ("names",)

    def __init__(self, pairs: Sequence[tuple[str, object]]) -> None:
        super().__init__(pairs)
        counted = Counter(name for name, _ in pairs)
        self.names = tuple(name for name, times in counted.items() if times > 1)


class NotJson(ValueError):
    """The text is no JSON; `line` is where that shows."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def decode(text: str) -> tuple[object, bool]:
    """The JSON value, numbers as `Number`, and whether any object in it repeats a key (`Repeated`)."""
    repeated = False

    def members(pairs: list[tuple[str, object]]) -> dict[str, object]:
        nonlocal repeated
        found = dict(pairs)
        if len(found) == len(pairs):
            return found
        repeated = True
        return Repeated(pairs)

    def constant(name: str) -> NoReturn:
        raise NotJson(f"is no JSON: {name} is no value", 1)

    try:
        value = json.loads(
            text, object_pairs_hook=members, parse_int=Number, parse_float=Number, parse_constant=constant
        )
    except json.JSONDecodeError as error:
        raise NotJson(f"is no JSON: {error.msg}", error.lineno) from None
    except RecursionError:
        raise NotJson("is nested too deeply", 1) from None
    return value, repeated


def render(document: Document) -> str:
    """The document without white space."""
    return minified(decode(document.source.text)[0])


def minified(tree: object) -> str:
    """JSON without white space; letters as they are where a policy may hold them."""
    return json.dumps(tree, ensure_ascii=False, separators=(",", ":"), default=str)


class Memo:
    """Compiled pieces that many statements share; one lives for as long as a compilation."""

    def __init__(self) -> None:
        self.actions: dict[tuple[str, ...], Actions] = {}
        self.resources: dict[tuple[str, bool], Resource] = {}
        self.resource_lists: dict[tuple[object, ...], tuple[Resource, ...]] = {}
        self.conditions: dict[tuple[object, ...], tuple[Condition, ...]] = {}
        self.wrong: dict[str, str | None] = {}


def parse(policy: PolicyText, kind: Kind = Kind.IDENTITY) -> Document:
    """Read a policy.

    Raises PolicyInvalid with every problem, each with file, line, statement and what to write instead.
    """
    return read(policy, kind, Memo())


def read(policy: PolicyText, kind: Kind, memo: Memo) -> Document:
    """`parse`, sharing compiled pieces with other documents through `memo`."""
    problems: list[tuple[tuple[Step, ...], str]] = []
    foreign = _FOREIGN.search(policy.text)
    if foreign:
        problems.append(((), _foreign(foreign.group())))
    try:
        tree, repeated = decode(policy.text)
    except NotJson as error:
        message = f"the policy {error}; write one JSON object with Version and Statement"
        raise PolicyInvalid(
            (PolicyProblem(policy.file, policy.line + error.line - 1, None, message),)
        ) from None
    doubles: list[PolicyProblem] = []
    if repeated:
        for path, name in _repeats(tree, ()):
            line = places.line(policy.text, (*path, name), occurrence=1, first=policy.line)
            doubles.append(PolicyProblem(policy.file, line, _statement(path, tree), _double(name)))
    if len(policy.text) > LONGEST[kind]:
        _measure(minified(tree), kind, problems)
    document = _document(tree, policy, kind, memo, problems)
    if problems or doubles or document is None:
        found = [
            PolicyProblem(
                policy.file,
                places.line(policy.text, path, first=policy.line)
                if path or not foreign
                else policy.line + policy.text.count("\n", 0, foreign.start()),
                _statement(path, tree),
                message,
            )
            for path, message in problems
        ]
        raise PolicyInvalid((*doubles, *found))
    return document


def from_tree(tree: object, name: str, kind: Kind, *, repeated: bool) -> Document:
    """A document that came inside other JSON (decoded by `decode`). Its places have no lines.

    Raises PolicyInvalid.
    """
    policy = PolicyText(name=name, text="", file="")
    problems: list[tuple[tuple[Step, ...], str]] = []
    try:
        text = minified(tree)
    except RecursionError:
        raise PolicyInvalid((PolicyProblem(name, 1, None, "the policy is nested too deeply"),)) from None
    foreign = _FOREIGN.search(text)
    if foreign:
        problems.append(((), _foreign(foreign.group())))
    if repeated:
        problems.extend((path, _double(name)) for path, name in _repeats(tree, ()))
    _measure(text, kind, problems)
    document = _document(tree, policy, kind, Memo(), problems)
    if problems or document is None:
        raise PolicyInvalid(
            tuple(PolicyProblem(name, 1, _statement(path, tree), message) for path, message in problems)
        )
    return document


def _foreign(letter: str) -> str:
    return f"holds the character U+{ord(letter):04X}; IAM takes tab, line ends and U+0020 to U+00FF only"


def _double(name: str) -> str:
    return f"`{name}` stands twice in one object; keep one (most readers would silently keep the last)"


def _measure(text: str, kind: Kind, problems: list[tuple[tuple[Step, ...], str]]) -> None:
    if len(text) > LONGEST[kind]:
        problems.append(
            (
                (),
                f"a {kind.value} may have {LONGEST[kind]} characters without white space, this has {len(text)}",
            )
        )


def _repeats(tree: object, path: tuple[Step, ...]) -> list[tuple[tuple[Step, ...], str]]:
    """Every repeated key below a value. Depth is bounded: the decoder refused what is deeper."""
    found: list[tuple[tuple[Step, ...], str]] = []
    if isinstance(tree, dict):
        if isinstance(tree, Repeated):
            found.extend((path, name) for name in tree.names)
        for name, value in tree.items():
            found.extend(_repeats(value, (*path, name)))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            found.extend(_repeats(value, (*path, index)))
    return found


def _statement(path: Sequence[Step], tree: object) -> str | None:
    """Name of the statement that a path leads into."""
    if not path or path[0] != "Statement" or not isinstance(tree, dict):
        return None
    statements = tree.get("Statement")
    index = 0
    if isinstance(statements, list):
        if len(path) < 2 or not isinstance(path[1], int):
            return None
        index = path[1]
        statements = statements[index] if index < len(statements) else None
    sid = statements.get("Sid") if isinstance(statements, dict) else None
    return f"statement {index + 1} ({sid})" if type(sid) is str and sid else f"statement {index + 1}"


_TOP: Final = frozenset({"Version", "Id", "Statement"})
_ELEMENTS: Final = frozenset({"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"})
_TRUST_ELEMENTS: Final = frozenset({"Sid", "Effect", "Principal", "NotPrincipal", "Action", "Condition"})

_Problems = list[tuple[tuple[Step, ...], str]]


def _unknown(name: str, known: frozenset[str]) -> str:
    from difflib import get_close_matches  # only for a document that is refused anyway

    near = get_close_matches(name.title(), known, 1, 0.6)
    hint = f"; did you mean `{near[0]}`?" if near else f"; known are {', '.join(sorted(known))}"
    return f"`{name}` is no element of the policy language{hint}"


def _document(
    tree: object, policy: PolicyText, kind: Kind, memo: Memo, problems: _Problems
) -> Document | None:
    if not isinstance(tree, dict):
        problems.append(((), "the policy must be one JSON object with Version and Statement"))
        return None
    for name in tree:
        if name not in _TOP:
            problems.append(((name,), _unknown(name, _TOP)))
    version = tree.get("Version", OLD)
    if version not in (CURRENT, OLD) or type(version) is not str:
        problems.append((("Version",), f'Version must be "{CURRENT}"'))
        version = CURRENT
    if "Id" in tree and type(tree["Id"]) is not str:
        problems.append((("Id",), "Id must be a string"))
    if "Statement" not in tree:
        problems.append(((), "Statement is missing"))
        return None
    listed = tree["Statement"]
    statements = [listed] if isinstance(listed, dict) else listed
    if not isinstance(statements, list) or not statements:
        problems.append((("Statement",), "Statement must be an object or a list of at least one"))
        return None
    reader = _Reader(policy, kind, version == CURRENT, memo, problems)
    compiled: list[Statement] = []
    sids: set[str] = set()
    for index, statement in enumerate(statements):
        path: tuple[Step, ...] = ("Statement", index) if isinstance(listed, list) else ("Statement",)
        if not isinstance(statement, dict):
            problems.append((path, "a statement must be an object"))
            continue
        before = len(problems)
        made = reader.statement(index, statement, path)
        if made is not None and len(problems) == before:
            compiled.append(made)
        sid = statement.get("Sid")
        if type(sid) is str and sid:
            if sid in sids:
                problems.append(
                    ((*path, "Sid"), f"Sid `{sid}` stands in another statement too; make it unique")
                )
            sids.add(sid)
    return Document(kind, version, tuple(compiled), policy)


class _Reader:
    """Reads the statements of one document."""

    def __init__(
        self, policy: PolicyText, kind: Kind, current: bool, memo: Memo, problems: _Problems
    ) -> None:
        self._policy = policy
        self._kind = kind
        self._elements = _TRUST_ELEMENTS if kind is Kind.TRUST else _ELEMENTS
        self._current = current
        self._memo = memo
        self._problems = problems
        self._lines = places.Lines(policy.text, policy.line) if policy.text else None

    def statement(self, index: int, tree: dict[str, object], path: tuple[Step, ...]) -> Statement | None:
        report = self._problems.append
        for name in tree:
            if name not in self._elements:
                report(((*path, name), self._foreign_element(name)))
        sid = tree.get("Sid")
        if "Sid" in tree and (type(sid) is not str or not _SID.fullmatch(sid)):
            report(((*path, "Sid"), "Sid must be a string of letters and digits"))
        effect = tree.get("Effect")
        if effect not in ("Allow", "Deny"):
            found = f", not {minified(effect)}" if "Effect" in tree else ", and is missing"
            report(
                ((*path, "Effect") if "Effect" in tree else path, f'Effect must be "Allow" or "Deny"{found}')
            )
        actions = self._either(tree, "Action", path)
        resources = None if self._kind is Kind.TRUST else self._either(tree, "Resource", path)
        conditions_ = self._conditions(tree["Condition"], path) if "Condition" in tree else ()
        who = self._principals(tree, path) if self._kind is Kind.TRUST else None
        if actions is None or (resources is None and self._kind is not Kind.TRUST) or conditions_ is None:
            return None
        compiled = self._actions(actions, (*path, "NotAction" if "NotAction" in tree else "Action"))
        element = "NotResource" if "NotResource" in tree else "Resource"
        entries = self._resources(resources, (*path, element)) if resources is not None else ()
        return Statement(
            self._policy,
            index,
            sid if type(sid) is str and sid else None,
            self._lines,
            deny=effect == "Deny",
            actions=compiled,
            not_action="NotAction" in tree,
            resources=entries,
            not_resource="NotResource" in tree or self._kind is Kind.TRUST,
            conditions=conditions_,
            principals=who,
            not_principal="NotPrincipal" in tree,
        )

    def _foreign_element(self, name: str) -> str:
        if name in ("Principal", "NotPrincipal"):
            return f"a {self._kind.value} has no {name}; it speaks of whoever it is attached to"
        if self._kind is Kind.TRUST and name in _ELEMENTS:
            return f"a trust policy has no {name}; it speaks of the role it belongs to, and lists Action"
        return _unknown(name, self._elements)

    def _either(
        self, tree: dict[str, object], name: str, path: tuple[Step, ...]
    ) -> tuple[object, ...] | None:
        """The list of an element or of its Not… twin; a lone string is a list of one."""
        negated = f"Not{name}"
        if (name in tree) == (negated in tree):
            told = "both stand here; keep one" if name in tree else "one of them is missing"
            self._problems.append((path, f"{name} or {negated}: {told}"))
            return None
        element = name if name in tree else negated
        value = tree[element]
        if type(value) is str:
            return (value,)
        if not isinstance(value, list) or not value:
            self._problems.append(((*path, element), f"{element} must be a string or a list of at least one"))
            return None
        allowed = (str, type(None)) if name == "Resource" else (str,)
        if any(type(each) not in allowed for each in value):
            self._problems.append(((*path, element), f"{element} must hold strings only"))
            return None
        return tuple(value)

    def _actions(self, listed: tuple[object, ...], path: tuple[Step, ...]) -> Actions:
        texts = tuple(each for each in listed if isinstance(each, str))
        made = self._memo.actions.get(texts)
        if made is None or self._kind is Kind.TRUST:
            before = len(self._problems)
            for text in texts:
                wrong = _wrong_action(text, trust=self._kind is Kind.TRUST)
                if wrong:
                    self._problems.append((path, wrong))
            made = Actions(texts)
            if len(self._problems) == before:
                self._memo.actions[texts] = made
        return made

    def _resources(self, listed: tuple[object, ...], path: tuple[Step, ...]) -> tuple[Resource, ...]:
        key = (*listed, self._current)
        made = self._memo.resource_lists.get(key)
        if made is not None:
            return made
        before = len(self._problems)
        entries: list[Resource] = []
        for text in listed:
            if not isinstance(text, str):
                continue
            wrong = _wrong_resource(text)
            if wrong:
                self._problems.append((path, wrong))
                continue
            entry = self._memo.resources.get((text, self._current))
            if entry is None:
                entry = Resource(text, variables=self._current)
                self._memo.resources[text, self._current] = entry
            entries.append(entry)
        made = tuple(entries)
        if len(self._problems) == before and len(listed) == 1:
            self._memo.resource_lists[key] = made
        return made

    def _principals(self, tree: dict[str, object], path: tuple[Step, ...]) -> principals.Principals | None:
        if ("Principal" in tree) == ("NotPrincipal" in tree):
            self._problems.append((path, "a trust policy's statement needs Principal"))
            return None
        name = "Principal" if "Principal" in tree else "NotPrincipal"
        if name == "NotPrincipal" and tree.get("Effect") != "Deny":
            self._problems.append(
                (
                    (*path, name),
                    "NotPrincipal with Allow lets in everybody else; list who may under Principal",
                )
            )
        read_ = principals.read(tree[name])
        if isinstance(read_, str):
            self._problems.append(((*path, name), f"{name} {read_}"))
            return None
        return read_

    def _conditions(self, tree: object, path: tuple[Step, ...]) -> tuple[Condition, ...] | None:
        path = (*path, "Condition")
        if not isinstance(tree, dict):
            self._problems.append((path, "Condition must be an object of operators"))
            return None
        key = _signature(tree, self._current)
        made = self._memo.conditions.get(key) if key is not None else None
        if made is not None:
            return made
        before = len(self._problems)
        found: list[Condition] = []
        for operator, members in tree.items():
            found.extend(self._operator(operator, members, (*path, operator)))
        if len(self._problems) > before:
            return None
        made = tuple(found)
        if key is not None:
            self._memo.conditions[key] = made
        return made

    def _operator(self, operator: str, members: object, path: tuple[Step, ...]) -> list[Condition]:
        report = self._problems.append
        if not isinstance(members, dict):
            report((path, f'`{operator}` must hold an object: {{"aws:username": "ana"}}'))
            return []
        name = conditions.name(operator)
        if name is None:
            if members:
                report((path, _unknown_operator(operator)))
            return []
        found: list[Condition] = []
        seen: set[str] = set()
        for key, value in members.items():
            here = (*path, key)
            folded = fold(key)
            if folded in seen:
                report((here, f"`{key}` stands twice under {operator}, in different case; keep one"))
            seen.add(folded)
            texts = _values(value)
            if texts is None:
                report(
                    (here, f"the value of `{key}` must be a string, number, true, false or a list of these")
                )
                continue
            if name.operator.startswith("Date"):
                report_date = [text for text in texts if values.instant(text) is None]
                for text in report_date:
                    report((here, f"`{text}` is no date; write one such as 2026-11-24T12:00:00Z"))
            if (
                name.quantifier is Quantifier.NONE
                and name.operator != conditions.NULL
                and condition_keys.multivalued(key)
            ):
                report(
                    (
                        here,
                        f"`{key}` has several values; write ForAnyValue:{operator} or ForAllValues:{operator}",
                    )
                )
            found.append(Condition(name, key, texts, variables=self._current))
        return found


def _signature(tree: dict[str, object], current: bool) -> tuple[object, ...] | None:
    """A key for equal conditions; None for shapes that are not worth sharing."""
    key: list[object] = [current]
    for operator, members in tree.items():
        if not isinstance(members, dict):
            return None
        key.append(operator)
        for name, value in members.items():
            if isinstance(value, list):
                if not all(isinstance(each, str) for each in value):
                    return None
                key.append((name, *value))
            elif isinstance(value, str):
                key.append((name, value))
            else:
                return None
    return tuple(key)


def _values(value: object) -> tuple[str, ...] | None:
    """Texts of a condition's value or list of values; None for what may not stand there."""
    if type(value) is str:
        return (value,)
    found: list[str] = []
    for each in value if isinstance(value, list) else (value,):
        if isinstance(each, bool):
            found.append("true" if each else "false")
        elif isinstance(each, str):
            found.append(str(each))
        else:
            return None
    return tuple(found)


def _unknown_operator(operator: str) -> str:
    from difflib import get_close_matches  # only for a document that is refused anyway

    near = get_close_matches(operator, [*conditions.OPERATORS, conditions.NULL], 1, 0.6)
    hint = f"; did you mean `{near[0]}`?" if near else ""
    return f"`{operator}` is no condition operator (their case counts){hint}"


def _wrong_action(text: str, *, trust: bool) -> str | None:
    if text == "*" and not trust:
        return None
    prefix, colon, rest = text.partition(":")
    if not colon:
        return f"action `{text}` needs its service in front, as in sts:AssumeRole"
    if ":" in rest:
        return f"action `{text}` has more than one colon; write service:Name"
    if not _PREFIX.fullmatch(prefix):
        return f"`{prefix}` in action `{text}` is no service; letters, digits, `.` and `-` without wildcards"
    if trust and fold(prefix) != "sts":
        return f"a trust policy allows sts: actions only, not `{text}`"
    return None


def _wrong_resource(text: str) -> str | None:
    if text == "*":
        return None
    fields = text.split(":", 5)
    if fields[0] != "arn" or len(fields) == 1:
        return f'resource `{text}` must be an ARN (arn:aws:iam::111122223333:role/Name) or "*"'
    if fields[1] not in unverified.PARTITIONS:
        return f"`{fields[1]}` in `{text}` is no partition; write aws, aws-cn or aws-us-gov"
    if len(fields) < 3 or not fields[2] or "*" in fields[2] or "?" in fields[2]:
        return f"resource `{text}` must name its service in full, without wildcards"
    if len(fields) < 6:
        if "" in fields:
            return f"resource `{text}` has an empty field but fewer than six; write all six"
        return None
    service, region, account, name = fields[2:]
    if service == "iam" and region and "*" not in region and "?" not in region:
        return f"resource `{text}`: IAM has no regions; leave the fourth field empty"
    if service == "s3" and region and not account and "*" not in region:
        return f"resource `{text}`: a bucket has no region in its ARN; leave the fourth field empty"
    if service == "iam" and not name.startswith(_IAM_PATHS):
        kind = name.partition("/")[0]
        if not any(mark in kind for mark in ("*", "?", "$")):
            return f"resource `{text}`: the last part must be `*` or begin with {', '.join(_IAM_PATHS)}"
    return None
