"""Whatever becomes of the files, `load` answers: with a revision, or with errors that are fit to be shown."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.configuration import load
from tests.configuration.builders import ENVIRON, FILES

SHIPPED = Path(__file__).parents[2] / "config"
SOURCES = {
    path.relative_to(SHIPPED).as_posix(): path.read_text("utf-8")
    for path in sorted(SHIPPED.rglob("*"))
    if path.suffix in {".yaml", ".json"}
}
ENVIRONMENT = {**ENVIRON, "SANDBOX_EXTERNAL_ID": "ext-4711"}

SIGNS = """' " : [ ] { } {} [] - &a *a !!x | > # , null on 0123 1.5 ~ <<: * é true 12 aws: ../ keep ? roles: env:"""
STEERING = ("\\", "\n", "  ", "\t", ": ", "---\n", "%YAML 1.1", "\0", "\ud800", "\u202e", "\x1b[31m")
PIECES = st.sampled_from(
    (*SIGNS.split(" "), *STEERING, "{env: X}", "{file: /dev/null}", "members:", "allow:")
)


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, str]:
    files = dict(draw(st.sampled_from([SOURCES, FILES])))
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from(sorted(files)))
        text = files[path]
        begin = draw(st.integers(0, len(text)))
        end = min(len(text), begin + draw(st.integers(0, 12)))
        kind = draw(st.integers(0, 3))
        if kind == 0:
            files[path] = text[:begin] + draw(PIECES) + text[begin:]
        elif kind == 1:
            files[path] = text[:begin] + text[end:]
        elif kind == 2:
            files[path] = text[:end] + text[begin:]
        else:
            lines = text.splitlines(keepends=True)
            line = draw(st.integers(0, max(0, len(lines) - 1)))
            files[path] = "".join(lines[:line] + lines[line + 1 :])
    return files


def answer(files: dict[str, str], *, secrets: bool) -> None:
    found = load(files, ENVIRONMENT, Path("config"), secrets=secrets)
    errors = [problem for problem in found.problems if problem.level == "error"]
    assert (found.revision is None) == bool(errors)
    for problem in found.problems:
        assert str(problem).isprintable()
        assert "s3cr3t" not in str(problem)
        assert problem.message


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mutated(), st.booleans())
def test_a_mutated_configuration_never_breaks_the_loader(files: dict[str, str], secrets: bool) -> None:
    answer(files, secrets=secrets)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["saml", "oidc", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = {
    "daypass.yaml": [
        "version",
        "name",
        "base_url",
        "database",
        "keys",
        "trusted_proxies",
        "session",
        "alerts",
        "aws",
    ],
    "accounts.yaml": ["111122223333", "x"],
    "groups.yaml": ["sre", "x"],
    "providers/corp.yaml": [
        "type",
        "label",
        "metadata",
        "claims",
        "groups",
        "session_tags",
        "mfa",
        "boundary",
    ],
    "providers/partner.yaml": [
        "type",
        "label",
        "issuer",
        "client_id",
        "client_secret",
        "claims",
        "scopes",
        "algorithms",
    ],
}


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_values_of_any_kind_never_break_the_loader(data: st.DataObject) -> None:
    import yaml

    files = dict(FILES)
    path = data.draw(st.sampled_from(sorted(KEYS)))
    known = yaml.safe_load(files[path])
    assert isinstance(known, dict)
    key = data.draw(st.sampled_from(KEYS[path]))
    value = data.draw(VALUES)
    if isinstance(known.get(key), dict) and data.draw(st.booleans()):
        inner = data.draw(st.sampled_from(sorted(known[key])))
        known[key] = {**known[key], inner: value}
    else:
        known[key] = value
    files[path] = yaml.safe_dump(known, allow_unicode=True)
    answer(files, secrets=True)
