"""`clients/NAME.yaml` of an app: token exchange, guests, origins, roles; what the other files must say beside it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import jsonschema_rs
import pytest

from app.configuration.document import parse
from app.configuration.places import plain
from app.configuration.problems import Problems
from app.configuration.schema import schema
from app.model import EXCHANGE, Client, RoleArn, SourceId
from app.policy import supplied_keys
from tests.configuration.builders import FILES, edited, revision, said

ADMIN = "arn:aws:iam::111122223333:role/Admin"
READ_ONLY = "arn:aws:iam::111122223333:role/ReadOnly"
FILE = "clients/app.yaml"
APP = f"""\
name: Shoebox
grants: [exchange]
accepts: {{partner: [acme-web, acme-ios], social: [acme-app]}}
pool: photo
origins: ["https://photos.test"]
guests: true
credentials: 30m
roles: [{READ_ONLY}, {ADMIN}]
subject_tokens: once
"""
SOCIAL = """\
type: oauth2
label: Chirp
authorize_url: http://127.0.0.1:8003/authorize
token_url: http://127.0.0.1:8003/token
userinfo_url: http://127.0.0.1:8003/me
client_id: acme-app
claims: {subject: id, username: handle}
check: {kind: amazon_tokeninfo, url: "http://127.0.0.1:8003/check"}
"""
BASE: Mapping[str, str] = {**FILES, "providers/social.yaml": SOCIAL}


def with_app(old: str = "", new: str = "", **others: str) -> dict[str, str]:
    assert old in APP
    return {**BASE, FILE: APP.replace(old, new, 1), **others}


def test_an_app_is_what_its_file_says() -> None:
    assert revision(with_app()).clients["app"] == Client(
        id="app",
        name="Shoebox",
        grants=frozenset({EXCHANGE}),
        accepts={SourceId("partner"): ("acme-web", "acme-ios"), SourceId("social"): ("acme-app",)},
        pool="photo",
        origins=("https://photos.test",),
        guests=True,
        credentials=timedelta(minutes=30),
        roles=(RoleArn(READ_ONLY), RoleArn(ADMIN)),
        once=True,
    )


def test_what_is_left_out_is_the_narrow_thing() -> None:
    made = {**BASE, FILE: f"name: A\ngrants: [exchange]\naccepts: {{corp: [urn:a]}}\nroles: [{ADMIN}]\n"}
    found = revision(made).clients["app"]
    assert (found.pool, found.guests, found.origins, found.once) == ("app", False, (), False)
    assert found.credentials == timedelta(hours=1)


def test_a_client_without_the_grant_has_no_pool_and_may_have_roles_origins_and_a_shorter_life() -> None:
    text = f"name: Bot\ngrants: [device]\nroles: [{ADMIN}]\norigins: [https://bot.test]\ncredentials: 15m\n"
    found = revision({**BASE, FILE: text}).clients["app"]
    assert (found.pool, found.roles, found.origins) == ("", (ADMIN,), ("https://bot.test",))
    assert found.credentials == timedelta(minutes=15)
    assert revision(BASE).clients["cli"].roles is None, "and the helper is bound by policy alone"
    assert EXCHANGE not in revision(BASE).clients["cli"].grants


def test_an_app_may_sign_people_in_by_code_too_and_its_guests_may_refresh() -> None:
    native = with_app("[exchange]", "[exchange, code, refresh]\nredirect_uris: ['com.acme.photos:/callback']")
    assert said(native) == []
    assert said(with_app("[exchange]", "[exchange, refresh]")) == []
    assert said(with_app("accepts: {partner: [acme-web, acme-ios], social: [acme-app]}\n")) == [], (
        "guests alone"
    )


MISTAKES = {
    "accepts is missing": (
        "accepts: {partner: [acme-web, acme-ios], social: [acme-app]}\npool: photo\n"
        'origins: ["https://photos.test"]\nguests: true\n',
        "",
        ":1:1  accepts  is missing; the grant `exchange` needs the sources whose tokens the app may bring",
    ),
    "accepts nothing": (
        "{partner: [acme-web, acme-ios], social: [acme-app]}\npool: photo\n"
        'origins: ["https://photos.test"]\nguests: true\n',
        "{}\n",
        ":3:10  accepts  is empty; the grant `exchange` needs",
    ),
    "no audience": ("[acme-web, acme-ios]", "[]", ":3:20  partner  is empty; expected the app's own ids"),
    "an audience twice": ("acme-ios", "acme-web", ":3:31  partner  is named twice"),
    "an audience that is no text": ("acme-ios", "7", ":3:31  partner  YAML does not read this as text"),
    "an unknown source": ("partner", "partnr", ":3:11  partnr  unknown provider; did you mean `partner`?"),
    "a source that is no id": ("partner", "Part_ner", ":3:11  Part_ner  expected a provider's id"),
    "a pool that is no id": ("pool: photo", "pool: Photo", ":4:7  pool  expected a pool's name"),
    "guests that are no truth": ("guests: true", "guests: 'yes'", ":6:9  guests  expected `true` or `false`"),
    "a life too long": ("30m", "2h", ":7:14  credentials  expected 15m to 1h"),
    "a life too short": ("30m", "5m", ":7:14  credentials  expected 15m to 1h"),
    "roles are missing": (
        f"roles: [{READ_ONLY}, {ADMIN}]\n",
        "",
        ":1:1  roles  is missing; the grant `exchange` needs the only roles that the app is ever given",
    ),
    "no roles": (f"[{READ_ONLY}, {ADMIN}]", "[]", ":8:8  roles  is empty; the grant `exchange` needs"),
    "a role twice": (ADMIN, READ_ONLY, ":8:50  roles  is named twice"),
    "an unknown role": (
        "role/ReadOnly",
        "role/ReadOnyl",
        f":8:9  roles  unknown role; no account of `accounts.yaml` has it; did you mean `{READ_ONLY}`?",
    ),
    "a role of another partition": ("arn:aws:iam", "arn:aws-cn:iam", ":8:9  roles  unknown role"),
    "a role by its name": (READ_ONLY, "ReadOnly", ":8:9  roles  expected a role's ARN"),
    "once or reuse": (
        "subject_tokens: once",
        "subject_tokens: onec",
        ":9:17  subject_tokens  expected one of `reuse`, `once`; did you mean `once`?",
    ),
    "a misspelt key": ("origins:", "orgins:", ":5:1  orgins  unknown key; did you mean `origins`?"),
    "refresh with nothing to refresh": (
        "grants: [exchange]",
        "grants: [exchange, refresh]\n#",
        ":2:20  grants  warning: `refresh` is for `code`, `device` and guests",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_said_with_its_place(name: str) -> None:
    old, new, expected = MISTAKES[name]
    made = with_app(old, new)
    if name.startswith("refresh"):
        made[FILE] = made[FILE].replace("guests: true\n", "guests: false\n")
    lines = said(made)
    assert [line for line in lines if line.startswith(f"config/{FILE}{expected}")], "\n".join(lines)
    assert len(lines) == 1


def test_what_is_for_exchange_alone_is_refused_without_it() -> None:
    lines = said(with_app("[exchange]", "[device]"))
    assert [line.split("  ")[1] for line in lines] == ["accepts", "pool", "guests", "subject_tokens"]
    assert all(line.endswith("is for the grant `exchange`, which `grants` does not name") for line in lines)
    lines = said({**BASE, FILE: "name: Bot\ngrants: [device]\nroles: []\n"})
    assert lines == [
        f"config/{FILE}:3:8  roles  is empty; leave it out for no bound, or name the only roles it is given"
    ]


ORIGINS = {
    "https://photos.test": "",
    "https://photos.test:8443": "",
    "http://localhost:3000": "",
    "http://127.0.0.1:8004": "",
    "http://[::1]:8004": "",
    "http://photos.test": "`http://` is for loopback only",
    "https://photos.test/": "without a path or a slash at the end",
    "https://photos.test/app": "without a path",
    "https://photos.test?x": "without a path",
    "https://photos.test:443": "leave out `:443`",
    "https://Photos.test": "write it in lower case",
    "https://me@photos.test": "no user name or password",
    "https://*.photos.test": "holds a `*`; there are no wildcards",
    "*": "holds a `*`; there are no wildcards",
    "null": "expected an address that begins with `https://`",
    "photos.test": "expected an address that begins with `https://`",
    "capacitor://localhost": "expected an address that begins with `https://`",
    "https://169.254.169.254": "expected an address that browsers can reach",
}


@pytest.mark.parametrize("origin", ORIGINS)
def test_an_origin_is_written_as_browsers_write_it(origin: str) -> None:
    lines = said(with_app('"https://photos.test"', f'"{origin}"'))
    expected = ORIGINS[origin]
    if not expected:
        assert lines == []
        return
    assert len(lines) == 1 and expected in lines[0], lines
    assert lines[0].startswith(f"config/{FILE}:5:11  origins  ")


def test_an_origin_twice_is_said() -> None:
    lines = said(with_app('["https://photos.test"]', '["https://a.test", "https://a.test"]'))
    assert lines == [f"config/{FILE}:5:29  origins  is named twice in this list; take one out"]


@pytest.mark.parametrize("check", ["", "check: {kind: none}\n"])
def test_a_source_that_cannot_tell_for_whom_a_token_was_made_is_refused(check: str) -> None:
    text = SOCIAL.replace(SOCIAL[SOCIAL.index("check:") :], check)
    lines = said(with_app(**{"providers/social.yaml": text}))
    assert lines == [
        f"config/{FILE}:3:42  social  nobody can bring tokens of `social`: the provider is not asked for which app "
        "one was made; give its file a `check` that does"
    ]


def test_a_check_that_is_wrong_is_said_where_it_stands_and_nowhere_else() -> None:
    text = SOCIAL.replace("amazon_tokeninfo", "amazon")
    (line,) = said(with_app(**{"providers/social.yaml": text}))
    assert line.startswith("config/providers/social.yaml:8:15  kind  expected one of")


def test_a_provider_that_is_wrong_otherwise_is_there() -> None:
    made = with_app(**{"providers/social.yaml": SOCIAL.replace("oauth2", "oauth")})
    (line,) = said(made)
    assert line.startswith("config/providers/social.yaml:1:7  type  ")


@pytest.mark.parametrize("broken", ["accounts.yaml", "providers/social.yaml"])
def test_nothing_is_missed_that_stands_in_a_file_that_cannot_be_read(broken: str) -> None:
    lines = said({**with_app(), broken: "a: ["})
    assert [line.split(":")[0] for line in lines] == [f"config/{broken}"]


# --- names that are taken -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["app", "guest"])
def test_no_provider_has_a_name_of_ours(name: str) -> None:
    (line,) = said({**FILES, f"providers/{name}.yaml": FILES["providers/corp.yaml"]})
    assert line.startswith(f"config/providers/{name}.yaml  `{name}` is not a provider's id: ")
    assert said({**FILES, f"providers/{name}s.yaml": FILES["providers/corp.yaml"]}) == []


# --- groups of apps -----------------------------------------------------------------------------------

PLACES = {
    "accounts.yaml": ("allow: [sre]", "allow: [sre, {}]", ":4:26  allow  "),
    "groups.yaml": ("sre: {policies", "{}: {{policies: [no-secrets]}}\nsre: {{policies", ":1:1  {}  "),
}
GROUPS = {
    "app/app": "",
    "app/app/guests": "",
    "app/quiet": "",
    "app/quiet/guests": "nobody can get this group: client `quiet` does not have `guests: true`",
    "app/bot": "nobody can get this group: client `bot` does not have the grant `exchange`",
    "app/bot/guests": "nobody can get this group: client `bot` does not have the grant `exchange`",
    "app/cli": "nobody can get this group: client `cli` does not have the grant `exchange`",
    "app/qiet": "unknown group; `app/CLIENT` and `app/CLIENT/guests` are those of a client's people; "
    "did you mean `app/quiet`?",
    "app/app/guest": "unknown group;",
    "app/app/guests/x": "unknown group;",
    "guest/app": "unknown provider `guest`",
}
CLIENTS = {
    "clients/quiet.yaml": f"name: Quiet\ngrants: [exchange]\naccepts: {{corp: [urn:q]}}\nroles: [{ADMIN}]\n",
    "clients/bot.yaml": "name: Bot\ngrants: [device]\n",
}


@pytest.mark.parametrize("file", PLACES)
@pytest.mark.parametrize("group", GROUPS)
def test_a_group_of_an_app_is_one_that_its_people_have(file: str, group: str) -> None:
    old, new, where = PLACES[file]
    made = {**with_app(**CLIENTS), file: edited(file, (old, new.format(group)))[file]}
    lines = said(made)
    expected = GROUPS[group]
    if not expected:
        assert lines == []
        found = revision(made)
        allowed = found.roles[RoleArn(ADMIN)].allow
        assert (
            (group in allowed) if file == "accounts.yaml" else ("no-secrets" in found.groups[group].policies)
        )
        return
    assert len(lines) == 1 and lines[0].startswith(f"config/{file}{where.format(group)}{expected}"), lines


def test_nothing_is_said_of_the_groups_of_a_client_whose_file_cannot_be_read() -> None:
    made = {**with_app(), FILE: "a: [", **edited_accounts("app/app/guests")}
    assert [line.split(":")[0] for line in said(made)] == [f"config/{FILE}"]
    made = {**with_app("[exchange]", "[exchang]"), **edited_accounts("app/app")}
    (line,) = said(made)
    assert "did you mean `exchange`?" in line


def edited_accounts(group: str) -> dict[str, str]:
    return {
        "accounts.yaml": FILES["accounts.yaml"].replace("allow: [sre]", f"allow: [sre, {group}]"),
    }


# --- variables of session policies --------------------------------------------------------------------

POLICY = "policies/no-secrets.json"
VARIABLES = {
    '"arn:aws:s3:::b/${daypass:identity-id}/*"': "",
    '"arn:aws:s3:::b/${DayPass:Identity-ID}/${daypass:client}/${daypass:Source}/*"': "",
    "\"arn:aws:s3:::b/${daypass:Claim/team, 'none'}/${aws:userid}\"": "",
    '"arn:aws:s3:${daypass:identity-id}::b/x"': ":3  as a session policy: `${daypass:identity-id}` stands where it is "
    "not resolved",
    '"arn:aws:s3:::b/${daypass:identiy-id}/*"': ":3  no session has a value for `${daypass:identiy-id}`; "
    "did you mean `daypass:identity-id`?",
    "\"arn:aws:s3:::b/${daypass:identiy-id, 'all'}/*\"": ":3  no session has a value for",
    '"arn:aws:s3:::b/${daypass:Device}/*"': ":3  no session has a value for `${daypass:Device}`",
    '"arn:aws:s3:::b/${daypass:Claim/}/*"': ":3  no session has a value for `${daypass:Claim/}`",
    '"arn:aws:s3:::b/${daypass:Groups}/*"': ":3  as a session policy: `${daypass:Groups}` may have several values",
    '"arn:aws:s3:::b/${daypass:identity-id"': ":3  as a session policy: `${daypass:identity-id",
}


@pytest.mark.parametrize("use", ["session_policy", "boundary"])
@pytest.mark.parametrize("resource", VARIABLES)
def test_a_variable_that_could_not_be_filled_in_is_an_error(resource: str, use: str) -> None:
    head = '{"Version": "2012-10-17", "Statement": [\n  {"Effect": "Allow", "Action": "s3:*",\n'
    text = f'{head}"Resource": {resource}}}]}}'
    made = {**FILES, POLICY: text}
    if use == "boundary":
        made["accounts.yaml"] = made["accounts.yaml"].replace(", session_policy: no-secrets", "")
        made["providers/partner.yaml"] = made["providers/partner.yaml"].replace("ec2-only", "no-secrets")
    lines = said(made)
    expected = VARIABLES[resource]
    if expected:
        assert len(lines) == 1 and lines[0].startswith(f"config/{POLICY}{expected}"), lines
    else:
        assert lines == []


def test_without_a_version_there_are_no_variables_and_of_another_policy_nothing_is_said() -> None:
    text = FILES[POLICY].replace('"Resource": "*"', '"Resource": "arn:aws:s3:::${daypass:identity-id}"', 1)
    old = {**FILES, POLICY: text.replace('"Version": "2012-10-17", ', "")}
    assert any('without "Version"' in line for line in said(old)), said(old)
    unused = edited("accounts.yaml", (", session_policy: no-secrets", ""))
    assert said({**unused, POLICY: old[POLICY]}) == []


def test_a_session_policy_that_is_too_long_once_it_is_filled_in_is_an_error() -> None:
    # 40 short variables become 40 ids of 36 letters.
    name = "arn:aws:s3:::${daypass:identity-id}"
    text = FILES[POLICY].replace(
        '"Resource": "*"', f'"Resource": {str([name] * 44).replace(chr(39), chr(34))}', 1
    )
    assert len(text) < 2_048
    (line,) = said({**FILES, POLICY: text})
    assert line.startswith(f"config/{POLICY}:1  as a session policy: with its variables resolved it has ")


def test_policies_may_go_by_the_identity_where_an_app_has_a_pool() -> None:
    assert "daypass:identity-id" in supplied_keys(revision(with_app()))
    without = {**BASE, FILE: "name: Bot\ngrants: [device]\n"}
    assert "daypass:identity-id" not in supplied_keys(revision(without))


# --- the schema ---------------------------------------------------------------------------------------


def test_an_editor_marks_what_the_check_refuses() -> None:
    validator = dict(schema("client"))

    def data(text: str) -> object:
        place = parse("f", text, Problems())
        assert place is not None
        return plain(place.node)

    jsonschema_rs.validate(validator, data(APP))
    for name in (
        "an audience that is no text",
        "a pool that is no id",
        "guests that are no truth",
        "a role by its name",
        "once or reuse",
        "a misspelt key",
    ):
        old, new, _ = MISTAKES[name]
        with pytest.raises(jsonschema_rs.ValidationError):
            jsonschema_rs.validate(validator, data(APP.replace(old, new, 1)))
    for origin in ("*", "https://*.photos.test", "https://photos.test/"):
        with pytest.raises(jsonschema_rs.ValidationError):
            jsonschema_rs.validate(validator, data(APP.replace("https://photos.test", origin)))
