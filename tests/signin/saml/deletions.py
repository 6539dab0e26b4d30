"""Take each check out once and see a test fail: `python -m tests.signin.saml.deletions` prints the table.

Works on a copy in a temporary folder. Every `raise` of the modules is made to do nothing, one at a time; a
few checks that are no `raise` of their own (lists, flags) are widened by hand below.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.deletions import BROKEN, HANGS, ROOT, copied, failing, instead, raises, row

MODULES = ("saml_xml", "saml_shape", "saml_signature", "saml_profile", "saml", "saml_metadata", "saml_trust")
TESTS = ("test_attacks", "test_sign_in", "test_metadata", "test_trust", "test_grant")

SECOND_LOOKS = {"NotAccepted: of a document type of its own"}
"""Behind another check; `BY_HAND` takes out both."""

BY_HAND = (
    (
        "saml_shape",
        "SHA-1 is on no list (signature)",
        "SIGNATURES: Final = frozenset(",
        'SIGNATURES: Final = frozenset({DSIG + "rsa-sha1"}) | frozenset(',
    ),
    (
        "saml_shape",
        "SHA-1 is on no list (digest)",
        'frozenset({_ENC + "sha256"',
        'frozenset({DSIG + "sha1", _ENC + "sha256"',
    ),
    (
        "saml_shape",
        "HMAC is on no list",
        'for key in ("rsa", "ecdsa")',
        'for key in ("rsa", "ecdsa", "hmac")',
    ),
    (
        "saml_shape",
        "inclusive canonicalisation is on no list",
        "frozenset({_EXCLUSIVE, ",
        'frozenset({"http://www.w3.org/TR/2001/REC-xml-c14n-20010315", _EXCLUSIVE, ',
    ),
    (
        "saml_shape",
        "XPath is on no list",
        "CANONICALISATIONS)):",
        'CANONICALISATIONS | {"http://www.w3.org/TR/1999/REC-xpath-19991116"})):',
    ),
    ("saml_shape", "`Id` makes an ID", 'frozenset({"ID", "Id", "id"', 'frozenset({"ID", "id"'),
    ("saml_shape", "`id` makes an ID", 'frozenset({"ID", "Id", "id"', 'frozenset({"ID", "Id"'),
    ("saml_shape", "`xml:id` makes an ID", ', "{http://www.w3.org/XML/1998/namespace}id"})', "})"),
    (
        "saml_shape",
        "Extensions are not among a response's parts",
        "{_ISSUER, _SIGNATURE, _STATUS, _ASSERTION}",
        '{_ISSUER, _SIGNATURE, _STATUS, _ASSERTION, f"{{{SAMLP}}}Extensions"}',
    ),
    (
        "saml_shape",
        "RetrievalMethod is not among the hints",
        '("X509Data", "KeyName", "KeyValue")',
        '("X509Data", "KeyName", "KeyValue", "RetrievalMethod")',
    ),
    ("saml_shape", "base64 is strict", "strict_mode=True", "strict_mode=False"),
    (
        "saml_shape",
        "comments stay in the tree to be seen",
        "MAX_SIZE)\n    except NotAccepted",
        "MAX_SIZE, keep_comments=False)\n    except NotAccepted",
    ),
    (
        "saml_xml",
        "no DTD (both looks)",
        'if b"<!DOCTYPE" in document or b"<!ENTITY" in document:\n'
        '        raise NotAccepted("with a document type declaration")',
        "pass",
    ),
    (
        "saml_signature",
        "a response's own signature is checked",
        "if shape.response_signed and not",
        "if False and not",
    ),
    (
        "saml_signature",
        "an exception of the library means no",
        "        return False\n",
        "        return True\n",
    ),
    (
        "saml_profile",
        "SKEW is a minute",
        "from app.model import SKEW",
        "from datetime import timedelta\n\nSKEW = timedelta(seconds=300)",
    ),
    ("saml_profile", "the NameID is a taken name", "taken = {NAME_ID.casefold()}", "taken: set[str] = set()"),
    ("saml_profile", "names that differ by case are twins", ".casefold()", ""),
    ("saml_profile", "friendly names count as names", '(attribute.get("FriendlyName") or own)', "own"),
    (
        "saml_profile",
        "an issuer of another kind is another",
        ' or issuer.get("Format", _ENTITY) != _ENTITY',
        "",
    ),
    ("saml_profile", "a signed response has an issuer", " or (shape.response_signed and not issuers)", ""),
    ("saml_profile", "the session has not ended", '_not_late(authn, "SessionNotOnOrAfter", now)', "pass"),
    ("saml_profile", "the confirmation has begun", '_not_early(data, "NotBefore", now)', "pass"),
    ("saml_profile", "the conditions have begun", '_not_early(conditions, "NotBefore", now)', "pass"),
    (
        "saml_profile",
        "nothing was issued in the future",
        '        _not_early(message, "IssueInstant", now)\n',
        "",
    ),
    (
        "saml_profile",
        "nobody was authenticated in the future",
        '_not_early(authn, "AuthnInstant", now)',
        '_instant(authn, "AuthnInstant")',
    ),
    (
        "saml",
        "the source of pending, proof and place is one",
        "ours = pending.source == proof.source == self._provider.id",
        "ours = True",
    ),
    ("saml", "a pending sign-in ends", "now >= pending.expires_at", "False"),
    ("saml", "the mark names the issuer", "[issuer, statement.assertion_id]", "[statement.assertion_id]"),
    ("saml", "a context is believed only if listed", "context in trusted.contexts", "True"),
    ("saml_trust", "what is kept counts", "self._recall() or self._first(now)", "self._first(now)"),
    ("saml_trust", "what is kept is read again", "abs(now - held.read_at) < REREAD", "True"),
)


@dataclass(frozen=True)
class Deletion:
    module: str
    what: str
    source: str


def deletions() -> Iterator[Deletion]:
    for module in MODULES:
        text = (ROOT / "app" / "signin" / f"{module}.py").read_text()
        for what, source in raises(text):
            yield Deletion(module, what, source)
        for where, what, old, new in BY_HAND:
            if where == module:
                if old not in text:
                    raise LookupError(f"{module}: {what}")
                changed = text.replace(old, new)
                if what.startswith("no DTD"):
                    changed = changed.replace("if docinfo.doctype:", "if False:")
                yield Deletion(module, what, changed)


def outcome(folder: Path) -> str:
    """The first tests that fail there, in the table's words, or nothing."""
    found = failing(folder, [f"tests/signin/saml/{name}.py" for name in TESTS], most=2, seconds=60)
    names = [each if each in (HANGS, BROKEN) else each.partition("::")[2] for each in found]
    return "; ".join(
        re.sub(r"test_the_attack_is_refused_and_its_honest_twin_is_not", "attack ", name) for name in names
    )


def main() -> int:
    alive = 0
    print("| module | check that was taken out | what then fails |\n|---|---|---|")
    parts = ("app", "tests/__init__.py", "tests/signin/__init__.py", "tests/signin/saml", "pyproject.toml")
    with copied(*parts) as folder:
        for deletion in deletions():
            with instead(folder / "app" / "signin" / f"{deletion.module}.py", deletion.source):
                fails = outcome(folder)
            survives = not fails and deletion.what not in SECOND_LOOKS
            alive += survives
            nothing = "**nothing**" if survives else "nothing: a second look, see the row with both out"
            row(f"`{deletion.module}`", deletion.what, fails or nothing)
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main())
