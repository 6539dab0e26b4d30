"""Take each check out once and see a test fail: `python -m tests.signin.oauth2.deletions` prints the table.

Of plain OAuth 2.0 sources, and of all tokens that apps present. Works on a copy in a temporary folder. Every `raise` of
the modules is made to do nothing, one at a time; checks that are no `raise` of their own are changed by hand below.
`python -m tests.signin.oauth2.deletions WORD` takes out only the checks with that word.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass

from tests.deletions import BROKEN, HANGS, ROOT, copied, failing, instead, raises, row

FLOW, CHECKS = (f"tests/signin/oauth2/test_oauth2_{name}.py" for name in ("flow", "checks"))
ID_TOKENS, ASSERTIONS = "tests/signin/oidc/test_oidc_presented.py", "tests/signin/saml/test_grant.py"

MODULES = {
    "oauth2": (FLOW, CHECKS),
    "oauth2_checks": (CHECKS,),
    "oauth2_profile": (FLOW,),
    "oidc_presented": (ID_TOKENS,),
    "presented": (CHECKS, ID_TOKENS, ASSERTIONS),
}
"""All their `raise`, and the tests meant for them."""

GRANTS_ISSUER = """"IssueInstant", now)
    _issuer(_only(assertion, "Issuer", SamlIssuer), expected.issuer)
"""
BY_HAND = (
    ("oauth2", FLOW, "the sign-in is of this source", "{pending.source, proof.source} != {self.id}", "False"),
    ("oauth2", FLOW, "the state is the sign-in's", "not same(state, pending.key)", "False"),
    ("oauth2", FLOW, "a sign-in of another kind is not ours", ' or "nonce" in pending.secrets', ""),
    (
        "oauth2",
        FLOW,
        "the challenge is S256",
        '"code_challenge_method": "S256"',
        '"code_challenge_method": "plain"',
    ),
    ("oauth2", FLOW, "each source has an address of its own", "{provider.id}/callback", "callback"),
    ("oauth2", FLOW, "an error with status 200 is an error", 'if "error" in response or', "if"),
    ("oauth2", FLOW, "Facebook's call is signed", "if not provider.appsecret_proof or", "if True or"),
    (
        "oauth2",
        FLOW,
        "a sign-in takes a place",
        "with self._places.one():\n            access",
        "if True:\n            access",
    ),
    (
        "oauth2",
        CHECKS,
        "another kind of token is refused",
        "check_kind(token, self.takes)\n        if not is",
        "if not is",
    ),
    (
        "oauth2",
        CHECKS,
        "the app and the end are looked at",
        "            _meant(checked, accepts, now)\n",
        "",
    ),
    ("oauth2", CHECKS, "the last second is over", "now >= checked.expires_at", "now > checked.expires_at"),
    (
        "oauth2_checks",
        CHECKS,
        "`is_valid` is true itself",
        'data.get("is_valid") is not True',
        'not data.get("is_valid")',
    ),
    (
        "oauth2_checks",
        CHECKS,
        "`issued_at` is looked at",
        '    _not_ahead(_seconds(data, "issued_at"), now)\n',
        "",
    ),
    (
        "oauth2_checks",
        CHECKS,
        "`iat` is looked at (Amazon)",
        '    _not_ahead(_seconds(told, "iat"), now)\n',
        "",
    ),
    (
        "oauth2_checks",
        CHECKS,
        "`iat` and `nbf` are looked at",
        "        _not_ahead(_seconds(told, name), now)\n",
        "        pass\n",
    ),
    ("oauth2_checks", CHECKS, "a key-bound token is no bearer token", '"cnf" in told or ', ""),
    ("oauth2_checks", CHECKS, "one `aud`, not several", "len(audience) == 1", "audience"),
    (
        "oauth2_checks",
        CHECKS,
        "a truth value is no number",
        "isinstance(value, bool) or not isinstance",
        "not isinstance",
    ),
    ("oauth2_checks", CHECKS, "the tolerance is a minute", "SKEW.total_seconds()", "120"),
    ("oauth2_profile", FLOW, "a truth value is no id", " and not isinstance(value, bool)", ""),
    ("oauth2_profile", FLOW, "0 is no id", " and value > 0", ""),
    ("oauth2_profile", FLOW, "only a verified address counts", ' and entry.get("verified") is True', ""),
    ("oauth2_profile", FLOW, "only the primary address counts", ' and entry.get("primary") is True', ""),
    ("oauth2_profile", FLOW, "the profile's own address is left out", " if name not in _EMAIL", ""),
    ("claims", FLOW, "an unverified address is none", 'provider.type != "saml"', 'provider.type == "oidc"'),
    ("oidc", ID_TOKENS, "another kind of token is refused", "check_kind(token, self.takes)", "pass"),
    (
        "oidc",
        ID_TOKENS,
        "the mark is over what is signed",
        "token.compact.signed_part, accepted",
        "token.text, accepted",
    ),
    ("oidc_presented", ID_TOKENS, "all audiences are the app's", "not all(each in", "not any(each in"),
    ("oidc_presented", ID_TOKENS, "the last second is over", "today >= expires", "today > expires"),
    (
        "oidc_presented",
        ID_TOKENS,
        "`events` is no ID token's",
        '("events", "scope", "scp")',
        '("scope", "scp")',
    ),
    (
        "oidc_presented",
        ID_TOKENS,
        "`scope` is no ID token's",
        '("events", "scope", "scp")',
        '("events", "scp")',
    ),
    (
        "oidc_presented",
        ID_TOKENS,
        "`scp` is no ID token's",
        '("events", "scope", "scp")',
        '("events", "scope")',
    ),
    (
        "oidc_presented",
        ID_TOKENS,
        "Keycloak's `typ`",
        '{"typ": "ID", "token_use": "id"}',
        '{"token_use": "id"}',
    ),
    (
        "oidc_presented",
        ID_TOKENS,
        "Cognito's `token_use`",
        '{"typ": "ID", "token_use": "id"}',
        '{"typ": "ID"}',
    ),
    ("oidc_presented", ID_TOKENS, "the subject is looked at", "    check_subject(claims)\n", ""),
    ("saml", ASSERTIONS, "another kind of token is refused", "check_kind(token, self.takes)", "pass"),
    (
        "saml",
        ASSERTIONS,
        "the signature is checked",
        "verified_assertion(assertion, [",
        "(assertion,) or verified_assertion(assertion, [",
    ),
    ("saml", ASSERTIONS, "the recipient is the token endpoint", "self._token_endpoint)", "self._us.acs)"),
    ("saml", ASSERTIONS, "it is accepted once", "(_once(idp.entity_id, statement),),\n", "(),\n"),
    (
        "saml",
        ASSERTIONS,
        "a transient name is nobody's",
        "self._lasting(statement)\n            return",
        "return",
    ),
    (
        "saml_profile",
        ASSERTIONS,
        "no other audience",
        "not ours or (alone and ours != audiences)",
        "not ours",
    ),
    ("saml_profile", ASSERTIONS, "no end is borne", "if min(ends) <= now:", "if False:"),
    ("saml_profile", ASSERTIONS, "a life of a day", "if min(ends) - now > LONGEST_GRANT:", "if False:"),
    (
        "saml_profile",
        ASSERTIONS,
        "an answer to a request is refused",
        'if data.get("InResponseTo")',
        'if request_id and data.get("InResponseTo")',
    ),
    (
        "saml_profile",
        ASSERTIONS,
        "issued in the future",
        '    _not_early(assertion, "IssueInstant", now)\n',
        "",
    ),
    (
        "saml_profile",
        ASSERTIONS,
        "the issuer is the provider",
        GRANTS_ISSUER,
        GRANTS_ISSUER.partition("    _issuer")[0],
    ),
    (
        "saml_shape",
        ASSERTIONS,
        "one assertion, none in it",
        "if any(True for _ in assertion.iterdescendants(_ASSERTION)):",
        "if False:",
    ),
    ("saml_shape", ASSERTIONS, "where signatures stand", "    _signatures(assertion, assertion)\n", ""),
    ("saml_shape", ASSERTIONS, "the whole document is walked", "    _walk(assertion)\n", ""),
    ("saml_shape", ASSERTIONS, "base64url alone", "not _BASE64URL.fullmatch(text) or ", ""),
    ("saml_shape", ASSERTIONS, "the right padding", " or encoded not in (text, padded)", ""),
    (
        "saml_shape",
        ASSERTIONS,
        "an assertion and nothing else",
        "if assertion.tag != _ASSERTION:",
        "if False:",
    ),
    ("saml_signature", ASSERTIONS, "it follows the schema", "    _follows_schema(assertion)\n", ""),
)

SECOND_LOOKS: dict[str, str] = {}
"""What is seen twice, and by whom else."""


@dataclass(frozen=True)
class Deletion:
    module: str
    what: str
    tests: tuple[str, ...]
    source: str


def deletions() -> Iterator[Deletion]:
    for module, tests in MODULES.items():
        text = (ROOT / "app" / "signin" / f"{module}.py").read_text()
        for what, source in raises(text):
            yield Deletion(module, what, tests, source)
    for module, test, what, old, new in BY_HAND:
        text = (ROOT / "app" / "signin" / f"{module}.py").read_text()
        if text.count(old) != 1:
            raise LookupError(f"{module}, {what}: stands there {text.count(old)} times")
        yield Deletion(module, what, (test,), text.replace(old, new))


def main(words: list[str]) -> int:
    alive = 0
    print("| module | check that was taken out | what then fails |\n|---|---|---|")
    parts = ("app", "tests/__init__.py", "tests/signin", "pyproject.toml")
    with copied(*parts) as folder:
        for deletion in deletions():
            if words and not any(word in f"{deletion.module} {deletion.what}" for word in words):
                continue
            with instead(folder / "app" / "signin" / f"{deletion.module}.py", deletion.source):
                found = failing(folder, deletion.tests, most=1, seconds=240)
            names = [each if each in (HANGS, BROKEN) else each.partition("::")[2] for each in found]
            survives = not names and deletion.what not in SECOND_LOOKS
            alive += survives
            nothing = "**nothing**" if survives else f"nothing: {SECOND_LOOKS.get(deletion.what)}"
            row(f"`{deletion.module}`", deletion.what, "; ".join(f"`{name}`" for name in names) or nothing)
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
