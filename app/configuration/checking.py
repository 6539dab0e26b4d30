"""Everything there is to say about a configuration folder: what `load` says, policy tests, and lint."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from app.configuration.document import readable
from app.configuration.folder import TESTS, read_folder, read_tests
from app.configuration.loading import Loaded, load
from app.configuration.problems import Problems
from app.model import Effect, PolicyText, Revision
from app.policy import Document, Kind, PolicyInvalid, lint, parse, questions, supplied_keys

_BESIDE: Final = re.compile(r"policies/(?P<name>[^/]+)\.test\.jsonl")
_EFFECTS: Final = tuple(effect.value for effect in Effect)


def check_folder(folder: Path, environ: Mapping[str, str], *, secrets: bool = True) -> Loaded:
    """Check the folder as a whole, as before it is applied.

    As `load`, and: a policy test that fails is an error; what is legal in a policy and surely not meant is a
    warning. Both need a configuration that is right otherwise.

    Raises:
        ConfigurationUnreadable.
    """
    loaded = load(read_folder(folder), environ, folder, secrets=secrets)
    if loaded.revision is None:
        return loaded
    problems = Problems(folder.as_posix())
    for path, text in read_tests(folder).items():
        _test(path, text, loaded.revision, problems)
    _lint(loaded.revision, problems)
    found = sorted(
        (*loaded.problems, *problems.sorted()), key=lambda each: (each.file, each.line, each.column)
    )
    return Loaded(None if problems.has_errors() else loaded.revision, tuple(found))


# --- tests ----------------------------------------------------------------------------------------


def _test(path: str, text: str, revision: Revision, problems: Problems) -> None:
    beside = _BESIDE.fullmatch(path)
    name = beside["name"] if beside else ""
    if name not in revision.policies:
        words = f"tests of no policy; expected `policies/NAME{TESTS}` beside `policies/NAME.json`"
        problems.put(path, 0, 0, "", words + problems.near(name, revision.policies))
        return
    if not readable(path, text, problems):
        return
    document = parse(revision.policies[name])
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            words = _failure(line, document)
            if words:
                problems.put(path, number, 1, "", words)


def _failure(line: str, document: Document) -> str:
    """What is wrong with one test; empty if it passes."""
    expected = questions.member(line, "expect")
    try:
        decision = questions.answer(line, document, also=("expect",))
    except questions.NoQuestion as error:
        return str(error)
    except PolicyInvalid as invalid:
        return "; ".join(f"{each.file}: {each.message}" for each in invalid.problems)
    if expected not in _EFFECTS:
        given = "is missing" if expected is None else f"is {str(expected)[:40]!r}"
        return f"`expect` {given}; expected one of {', '.join(f'`{each}`' for each in _EFFECTS)}"
    if decision.effect.value == expected:
        return ""
    said = "; ".join(str(each) for each in decision.matched) or "no statement allows it"
    named = questions.member(line, "id")
    which = f" ({named})" if isinstance(named, str) and named else ""
    return f"the test fails{which}: expected {expected}, the answer is {decision.effect.value}: {said}"


# --- lint -----------------------------------------------------------------------------------------


def _lint(revision: Revision, problems: Problems) -> None:
    known = supplied_keys(revision)
    for text, kind in _documents(revision):
        document = parse(text, kind)
        # What goes to AWS is decided there, by AWS's keys.
        keys = _named(document) if kind is Kind.BOUNDARY else known
        for found in lint(document, keys):
            words = f"{found.statement}: {found.message}" if found.statement else found.message
            problems.put(found.file, found.line, 0, "", words, "warning")


def _documents(revision: Revision) -> Iterator[tuple[PolicyText, Kind]]:
    attached = {name for group in revision.groups.values() for name in group.policies}
    caps = {role.session_policy for role in revision.roles.values()}
    caps |= {provider.boundary for provider in revision.providers.values()}
    for name, text in revision.policies.items():
        yield text, Kind.BOUNDARY if name in caps and name not in attached else Kind.IDENTITY
    # A role's policy stands with each group that it is for, and is said once.
    for text in dict.fromkeys(text for group in revision.groups.values() for text in group.inline):
        yield text, Kind.IDENTITY
    for _, texts in revision.guardrails:
        for text in texts:
            yield text, Kind.GUARDRAIL


def _named(document: Document) -> frozenset[str]:
    return frozenset(each.key for statement in document.statements for each in statement.conditions)
