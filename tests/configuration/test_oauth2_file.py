"""`type: oauth2`: by hand, by preset, and every mistake at once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.configuration import presets
from app.configuration.document import parse
from app.configuration.places import plain
from app.configuration.problems import Problems
from app.configuration.schema import schema
from app.model import ClaimMap, GroupMap, MfaTrust, OAuth2Provider, SourceId, TokenCheck
from app.policy import supplied_keys
from app.principal import trust
from tests.configuration.builders import ENVIRON, FILES, loaded, revision, said

PATH = "providers/social.yaml"
SECRET = "client_secret: {env: PARTNER_CLIENT_SECRET}\n"
WHOLE = """\
type: oauth2
label: Chirp
authorize_url: http://127.0.0.1:8003/authorize
token_url: http://127.0.0.1:8003/token
userinfo_url: http://127.0.0.1:8003/me
client_id: acme-app
client_secret: {env: PARTNER_CLIENT_SECRET}
scopes: [profile, email]
claims: {subject: id, username: handle, email: email, name: name}
check: {kind: facebook_debug_token, url: http://127.0.0.1:8003/debug_token}
boundary: ec2-only
session_tags: {Handle: handle}
"""


def preset(name: str, *more: str) -> str:
    return f"type: oauth2\nlabel: Social\npreset: {name}\nclient_id: '4711'\n{SECRET}{''.join(more)}"


def files(text: str, base: str = "http://localhost:8000") -> dict[str, str]:
    return {
        **FILES,
        "daypass.yaml": FILES["daypass.yaml"].replace("http://localhost:8000", base),
        PATH: text,
    }


def provider(text: str) -> OAuth2Provider:
    found = revision(files(text)).providers[SourceId("social")]
    assert isinstance(found, OAuth2Provider)
    return found


def test_a_provider_by_hand() -> None:
    found = provider(WHOLE)
    assert found == OAuth2Provider(
        id=SourceId("social"),
        label="Chirp",
        authorize_url="http://127.0.0.1:8003/authorize",
        token_url="http://127.0.0.1:8003/token",
        userinfo_url="http://127.0.0.1:8003/me",
        client_id="acme-app",
        client_secret=ENVIRON["PARTNER_CLIENT_SECRET"],
        claims=ClaimMap("id", "handle", "email", "name"),
        groups=GroupMap({}),
        scopes=("profile", "email"),
        check=TokenCheck("facebook_debug_token", "http://127.0.0.1:8003/debug_token"),
        boundary="ec2-only",
        session_tags={"Handle": "handle"},
    )
    assert (found.pkce, found.client_auth, found.appsecret_proof, found.mfa) == (
        True,
        "body",
        False,
        MfaTrust(),
    )
    assert ENVIRON["PARTNER_CLIENT_SECRET"] not in repr(found)


def test_without_a_check_there_is_none() -> None:
    text = "\n".join(line for line in WHOLE.splitlines() if not line.startswith("check"))
    assert provider(text + "\n").check == TokenCheck("none", "")


def test_the_presets_are_those_that_are_promised() -> None:
    assert presets.names() == ("amazon", "facebook", "github")


@pytest.mark.parametrize("name", presets.names())
def test_a_preset_needs_a_label_and_the_apps_id_and_secret(name: str) -> None:
    found = provider(preset(name))
    assert (found.label, found.client_id) == ("Social", "4711")
    assert found.check.kind != "none" and found.claims.subject in ("id", "user_id")
    addresses = (found.authorize_url, found.token_url, found.userinfo_url, found.check.url)
    assert all(address.startswith("https://") for address in addresses)
    jsonschema_rs.validate(dict(schema("provider")), data(preset(name)))


def test_facebook_signs_its_calls_and_sends_no_challenge() -> None:
    found = provider(preset("facebook"))
    assert (found.appsecret_proof, found.pkce, found.check.kind) == (True, False, "facebook_debug_token")


def test_github_reads_addresses_apart_and_sends_a_challenge() -> None:
    found = provider(preset("github"))
    assert (found.emails_url, found.pkce) == ("https://api.github.com/user/emails", True)
    assert found.claims == ClaimMap("id", "login", "email", "name")


def test_what_the_file_says_itself_wins_a_whole_key_at_a_time() -> None:
    found = provider(preset("github", "claims: {subject: id, username: id}\nscopes: []\npkce: false\n"))
    assert (found.claims, found.scopes, found.pkce) == (ClaimMap("id", "id"), (), False)
    assert found.token_url == "https://github.com/login/oauth/access_token"


MISTAKES: dict[str, tuple[str, list[str]]] = {
    "an unknown preset, and nothing else about it": (
        preset("fecabook"),
        [
            f"config/{PATH}:3:9  preset  expected one of `amazon`, `facebook`, `github`; did you mean `facebook`?"
        ],
    ),
    "a preset by reference": (
        preset("{env: PARTNER_CLIENT_SECRET}"),
        [f"config/{PATH}:3:9  preset  expected one of `amazon`, `facebook`, `github`, written out"],
    ),
    "a preset and nothing": (
        f"type: oauth2\npreset: facebook\n{SECRET}",
        [
            f"config/{PATH}:1:1  label  is missing; expected: the name on the sign-in page",
            f"config/{PATH}:1:1  client_id  is missing; expected: the name that the provider gave to this broker",
        ],
    ),
    "a preset's check without the secret": (
        preset("github").replace(SECRET, ""),
        [f"config/{PATH}:3:9  kind  `github_check_token` needs the `client_secret`"],
    ),
    "facebook without the secret": (
        preset("facebook").replace(SECRET, ""),
        [
            f"config/{PATH}:3:9  pkce  without a `client_secret` nothing but the code challenge protects a code",
            f"config/{PATH}:3:9  appsecret_proof  needs the `client_secret`",
            f"config/{PATH}:3:9  kind  `facebook_debug_token` needs the `client_secret`",
        ],
    ),
    "no addresses": (
        "type: oauth2\nlabel: Chirp\nclient_id: x\nclaims: {subject: id, username: id}\n",
        [
            f"config/{PATH}:1:1  authorize_url  is missing; expected: the provider's sign-in page",
            f"config/{PATH}:1:1  token_url  is missing; expected: where a code is redeemed",
            f"config/{PATH}:1:1  userinfo_url  is missing; expected: where it says",
        ],
    ),
    "a check of a kind that is none": (
        WHOLE.replace("facebook_debug_token", "facebook_debug"),
        [f"config/{PATH}:10:15  kind  expected one of `none`, `facebook_debug_token`, "],
    ),
    "a check without its address": (
        WHOLE.replace(", url: http://127.0.0.1:8003/debug_token}", "}"),
        [f"config/{PATH}:10:1  check  needs `url`, the address of `facebook_debug_token`"],
    ),
    "an address for no check": (
        WHOLE.replace("facebook_debug_token", "none"),
        [f"config/{PATH}:10:26  url  is not asked, since `kind` is `none`; take it out"],
    ),
    "a way to send the secret that is none": (
        WHOLE + "client_auth: header\n",
        [f"config/{PATH}:13:14  client_auth  expected one of `body`, `basic`"],
    ),
    "a second factor, which nobody proves": (
        WHOLE + "mfa: {methods: [mfa]}\n",
        [f"config/{PATH}:13:1  mfa  unknown key; expected one of"],
    ),
    "a secret as text": (
        WHOLE.replace("{env: PARTNER_CLIENT_SECRET}", "hunter2"),
        [f"config/{PATH}:7:16  client_secret  a secret is never text here"],
    ),
    "a scope twice": (
        WHOLE.replace("[profile, email]", "[profile, profile]"),
        [f"config/{PATH}:8:19  scopes  is named twice"],
    ),
    "an address of the cloud's metadata": (
        WHOLE.replace("http://127.0.0.1:8003/me", "http://169.254.169.254/me"),
        [f"config/{PATH}:5:15  userinfo_url  link-local, metadata"],
    ),
    "pkce in words": (
        WHOLE + "pkce: 'yes'\n",
        [f"config/{PATH}:13:7  pkce  expected `true` or `false`"],
    ),
    "groups without the claim": (
        WHOLE + "groups: {core: engineering}\n",
        [f"config/{PATH}:13:1  groups  needs `claims.groups`"],
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_said_with_its_place_and_all_at_once(name: str) -> None:
    text, expected = MISTAKES[name]
    lines = said(files(text))
    assert len(lines) == len(expected), "\n".join(lines)
    for line, begins in zip(lines, expected, strict=True):
        assert line.startswith(begins), line


def test_on_a_public_address_every_one_must_be_https() -> None:
    lines = said(files(WHOLE + "emails_url: http://127.0.0.1:8003/emails\n", "https://sso.acme.test"))
    keys = [line.split("  ")[1] for line in lines if PATH in line]
    assert keys == ["authorize_url", "token_url", "userinfo_url", "url", "emails_url"]
    assert said(files(preset("github"), "https://sso.acme.test")) == [
        line for line in lines if PATH not in line
    ]


def data(text: str) -> object:
    place = parse("f", text, Problems())
    assert place is not None
    return plain(place.node)


@pytest.mark.parametrize(
    "name",
    [
        "an unknown preset, and nothing else about it",
        "a preset and nothing",
        "no addresses",
        "a check of a kind that is none",
        "a way to send the secret that is none",
        "a second factor, which nobody proves",
        "a secret as text",
        "pkce in words",
    ],
)
def test_an_editor_marks_what_the_check_refuses(name: str) -> None:
    with pytest.raises(jsonschema_rs.ValidationError):
        jsonschema_rs.validate(dict(schema("provider")), data(MISTAKES[name][0]))
    jsonschema_rs.validate(dict(schema("provider")), data(WHOLE))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("8003/authorize", "8003/other"),
        ("8003/token", "8003/other"),
        ("8003/me", "8003/other"),
        ("8003/debug_token", "8003/other"),
        ("facebook_debug_token", "introspection"),
        ("client_id: acme-app", "client_id: another"),
        ("subject: id", "subject: data.id"),
        ("username: handle", "username: name"),
        ("[profile, email]", "[profile]"),
    ],
)
def test_what_decides_whom_a_proof_names_changes_the_trust(old: str, new: str) -> None:
    assert old in WHOLE
    assert trust(provider(WHOLE)) != trust(provider(WHOLE.replace(old, new)))
    assert trust(provider(WHOLE)) == trust(provider(WHOLE.replace("label: Chirp", "label: Tweet")))


def test_it_supplies_claims_and_says_nothing_of_how_somebody_signed_in() -> None:
    known = supplied_keys(replace(revision(FILES), providers={SourceId("social"): provider(WHOLE)}))
    assert "daypass:Claim/" in known and "aws:PrincipalTag/Handle" in known
    assert not {"daypass:Acr", "daypass:Amr", "daypass:Groups", "saml:sub"} & known
    assert "daypass:Amr" in supplied_keys(revision(FILES))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(presets.names()),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=5,
)
KEYS = st.sampled_from(
    ["label", "preset", "client_id", "claims", "check", "scopes", "pkce", "token_url", "x"]
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(KEYS, VALUES, max_size=6))
def test_any_file_is_a_provider_or_problems(values: dict[str, object]) -> None:
    text = "type: oauth2\n" + "".join(f"{key}: {json.dumps(value)}\n" for key, value in values.items())
    found = loaded(files(text))
    assert (found.revision is None) == any(problem.level == "error" for problem in found.problems)


def test_the_shipped_social_provider_is_the_demos() -> None:
    text = (
        (Path(__file__).parents[2] / "config" / PATH).read_text().replace("SOCIAL_CLIENT", "PARTNER_CLIENT")
    )
    found = provider(text)
    assert (found.label, found.client_id, found.claims.subject) == ("Acme app sign-in", "acme-app", "id")
    assert found.check == TokenCheck("facebook_debug_token", "http://127.0.0.1:8003/debug_token")
