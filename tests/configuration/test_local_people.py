"""What files say of local users, mail, factors and root: taken as it is meant, and every mistake with its place."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from app.configuration import load, read_folder
from app.model import Mail, Role
from app.policy import Index
from tests.configuration.builders import ENVIRON, FILES, edited, files, loaded, revision, said
from tests.policy.builders import CALLER, NOW, principal

D, A, G = "daypass.yaml", "accounts.yaml", "groups.yaml"
SHIPPED = Path(__file__).parents[2] / "config"
MAIL = "mail: {host: mail.acme.test, from: sso@acme.test}\n"


def with_lines(text: str) -> dict[str, str]:
    return edited(D, ("keys:", f"{text}\nkeys:"))


def with_mail(text: str, **environ: str) -> Mail:
    found = revision(with_lines(f"mail: {text}"), environ={**ENVIRON, **environ}).settings.mail
    assert found is not None
    return found


def role(made: dict[str, str], name: str) -> Role:
    return next(each for each in revision(made).roles.values() if each.name == name)


# --- what is taken ------------------------------------------------------------------------------------


def test_local_sign_in_is_on_where_it_has_a_label_and_off_else() -> None:
    assert revision(dict(FILES)).settings.local == ""
    assert (
        revision(with_lines("local: {label: Contractors and others}")).settings.local
        == "Contractors and others"
    )


def test_mail_is_by_starttls_unless_said_and_the_port_goes_with_it() -> None:
    assert revision(dict(FILES)).settings.mail is None
    assert with_mail("{host: mail.acme.test, from: sso@acme.test}") == Mail(
        "mail.acme.test", 587, "sso@acme.test"
    )
    assert with_mail("{host: m.test, from: a@b.test, security: tls}").port == 465
    assert with_mail("{host: m.test, from: a@b.test, port: 2525}").port == 2525
    assert with_mail("{host: m.test, from: a@b.test, port: {env: PORT}}", PORT="2526").port == 2526


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "'::1'", "mail.localhost"])
def test_mail_in_the_clear_stays_on_this_machine(host: str) -> None:
    made = with_mail(f"{{host: {host}, from: a@b.test, security: none}}")
    assert (made.port, made.security) == (25, "none")


def test_the_mail_servers_password_is_a_reference_and_shows_nowhere() -> None:
    made = with_mail(
        "{host: m.test, from: a@b.test, username: me, password: {env: MAIL_PASSWORD}}",
        MAIL_PASSWORD="hunter2",
    )
    assert (made.username, made.password) == ("me", "hunter2")
    assert "hunter2" not in repr(made)


def test_an_email_alert_goes_with_mail() -> None:
    assert said(with_lines(f"{MAIL}alerts: [log, {{email: ops@acme.test}}]")) == []


def test_a_role_is_for_emergencies_only_if_marked() -> None:
    assert not role(dict(FILES), "Admin").break_glass
    made = edited(A, ("{allow: [sre]}", "{allow: [sre], break_glass: true}"))
    assert role(made, "Admin").break_glass and not role(made, "ReadOnly").break_glass


def test_a_group_can_ask_for_a_factor() -> None:
    made = revision(edited(G, ("sre: {", "engineering: {mfa: true}\nsre: {")))
    assert (
        made.groups["engineering"].mfa and not made.groups["sre"].mfa and not made.groups["contractors"].mfa
    )


def test_with_local_users_no_directory_is_needed() -> None:
    made = files(corp=None, partner=None, accounts='"111122223333": {name: p, roles: {R: {allow: [sre]}}}\n')
    made[D] += "local: {label: Users}\n"
    made[G] = "sre: {description: On call}\n"
    assert said({path: text for path, text in made.items() if not path.startswith("policies/")}) == []


def test_a_group_of_local_users_alone_is_no_mistake() -> None:
    made = edited(G, ("sre: {", "lonely: {description: x}\nsre: {"))
    words = "nobody can get this group: no provider's `groups` gives it"
    assert any(words in line for line in said(made))
    made[D] += "local: {label: Users}\n"
    assert said(made) == []


# --- mistakes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("local: yes", "5:8  local  expected a mapping (`key: value`): sign-in by local users is on"),
        ("local: {}", "5:1  label  is missing; expected: what the sign-in page calls them: `Contractors`"),
        ("local: {lable: x}", "5:9  lable  unknown key; did you mean `label`?"),
        ("local: {label: ''}", "5:16  label  is empty; expected text"),
        ("mail: {host: m.test}", "5:1  from  is missing; expected: the address that mail comes from"),
        ("mail: {from: a@b.test}", "5:1  host  is missing; expected: the mail server's name"),
        ("mail: {host: m.test, sender: a@b.test}", "5:22  sender  unknown key; expected one of `host`, `port`, `from`, "),
        ("mail: {host: m.test, form: a@b.test}", "5:22  form  unknown key; did you mean `from`?"),
        ("mail: {host: m.test, from: ops}", "5:28  from  expected an e-mail address"),
        ("mail: {host: 'smtp://m.test', from: a@b.test}", "5:14  host  expected a host alone, like `mail.example.com`"),
        ("mail: {host: 'm.test:25', from: a@b.test}", "5:14  host  expected a host alone, like `mail.example.com`"),
        ("mail: {host: m test, from: a@b.test}", "5:14  host  expected a host name (letters, digits"),
        ("mail: {host: 169.254.169.254, from: a@b.test}", "5:14  host  link-local, metadata, multicast"),
        ("mail: {host: m.test, from: a@b.test, port: 0}", "5:44  port  expected a port from 1 to 65535"),
        ("mail: {host: m.test, from: a@b.test, port: 65536}", "5:44  port  expected a port from 1 to 65535"),
        ("mail: {host: m.test, from: a@b.test, port: smtp}", "5:44  port  expected a port from 1 to 65535"),
        ("mail: {host: m.test, from: a@b.test, port: true}", "5:44  port  expected a port from 1 to 65535"),
        (
            "mail: {host: m.test, from: a@b.test, security: ssl}",
            "5:48  security  expected one of `tls`, `starttls`, `none`",
        ),
        (
            "mail: {host: m.test, from: a@b.test, security: none}",
            "5:48  security  everybody on the way could read links and alerts; expected `starttls` or `tls`",
        ),
        (
            "mail: {host: m.test, from: a@b.test, username: me}",
            "5:38  username  needs `password` beside it; write both, or neither",
        ),
        (
            "mail: {host: m.test, from: a@b.test, password: {env: PARTNER_CLIENT_SECRET}}",
            "5:38  password  needs `username` beside it; write both, or neither",
        ),
        (
            "mail: {host: m.test, from: a@b.test, username: me, password: hunter2}",
            "5:62  password  a secret is never text here; write `{env: NAME}` or `{file: PATH}`",
        ),
        (
            "alerts: [log, {email: ops@acme.test}]",
            "5:16  email  nothing says how mail is sent; write `mail: {host: mail.example.com, from: daypass@example.com}`",
        ),
    ],
)  # fmt: skip
def test_a_mistake_in_daypass_yaml_says_where_and_what_to_write(text: str, line: str) -> None:
    found = said(with_lines(text))
    assert any(each.startswith(f"config/daypass.yaml:{line}") for each in found), found
    assert "hunter2" not in "".join(found)


@pytest.mark.parametrize(
    ("path", "edit", "line"),
    [
        (A, ("{allow: [sre]}", "{break_glass: yes}"), "accounts.yaml:4:26  break_glass  expected `true` or"),
        (A, ("{allow: [sre]}", "{break_glas: true}"), "accounts.yaml:4:13  break_glas  unknown key; did you mean"),
        (A, ("{allow: [sre]}", "{break_glass: 'true'}"), "accounts.yaml:4:26  break_glass  expected `true` or `false`: "),
        (G, ("sre: {", "sre: {mfa: always, "), "groups.yaml:1:12  mfa  expected `true` or `false`: "),
        (G, ("sre: {", "sre: {users: [ana], "), "groups.yaml:1:7  users  groups are flat"),
    ],
)  # fmt: skip
def test_a_mistake_elsewhere_too(path: str, edit: tuple[str, str], line: str) -> None:
    assert any(each.startswith(f"config/{line}") for each in said(edited(path, edit))), said(
        edited(path, edit)
    )


@pytest.mark.parametrize("group", ["app/photo", "app/photo/guests"])
def test_people_of_apps_are_asked_for_no_factor_here(group: str) -> None:
    client = "name: Photos\ngrants: [exchange]\naccepts: {corp: [photo]}\npool: photo\nguests: true\n"
    made = {**FILES, "clients/photo.yaml": client, G: f"{group}: {{mfa: true}}\n"}
    assert any("mfa  people of apps are not asked for a second factor here" in line for line in said(made))


@pytest.mark.parametrize("name", ["local", "root"])
def test_no_provider_is_called_like_a_source_of_ours(name: str) -> None:
    (line,) = said({**FILES, f"providers/{name}.yaml": FILES["providers/corp.yaml"]})
    assert line.startswith(f"config/providers/{name}.yaml  `{name}` is not a provider's id: ")
    assert "give the file another name" in line


@pytest.mark.parametrize(
    ("variable", "line"),
    [
        ("${daypass:identity-id}", "daypass:identity-id"),
        ("${daypass:Claim/team}", "daypass:claim/team"),
        ("${daypass:Source}", ""),
        ("${daypass:Claim/team, 'none'}", ""),
    ],
)
def test_a_role_for_emergencies_is_one_that_root_can_be_given(variable: str, line: str) -> None:
    made = edited(A, ("session_policy: no-secrets", "session_policy: folder, break_glass: true"))
    body = {"Effect": "Allow", "Action": "s3:*", "Resource": f"arn:aws:s3:::b/{variable}/*"}
    made["policies/folder.json"] = json.dumps({"Version": "2012-10-17", "Statement": body})
    found = [each for each in said(made) if "root could never use this role" in each]
    assert len(found) == bool(line)
    if line:
        assert (
            found[0].startswith("config/accounts.yaml:5:")
            and f"  break_glass  root could never use this role: it has no `{line}`" in found[0]
        )


# --- what ships ---------------------------------------------------------------------------------------


def test_the_shipped_folder_shows_it_all() -> None:
    environ = dict.fromkeys(
        ("SANDBOX_EXTERNAL_ID", "PARTNER_CLIENT_SECRET", "SOCIAL_CLIENT_SECRET"), "x" * 16
    )
    found = load(read_folder(SHIPPED), environ, Path("config"))
    assert found.problems == () and found.revision is not None
    made = found.revision
    assert made.settings.local == "Contractors and others"
    assert [each.name for each in made.roles.values() if each.break_glass] == ["Admin"]
    release = next(each for each in made.roles.values() if each.name == "Release")
    assert (release.level, release.allow) == ("power", ())
    index = Index.compile(made)
    for age, allowed in ((None, False), (899, True), (900, False)):
        mfa_at = None if age is None else NOW - timedelta(seconds=age)
        for group in ("engineering", "contractors", "finance"):
            who = principal(group, mfa_at=mfa_at)
            decision = index.decide(who, release, index.contexts(who, CALLER, NOW)(release))
            assert decision.allowed is (allowed and group != "finance")


def test_a_password_that_is_not_there_is_a_warning_where_secrets_are_elsewhere() -> None:
    made = with_lines("mail: {host: m.test, from: a@b.test, username: me, password: {env: MAIL_PASSWORD}}")
    assert loaded(made).revision is None
    found = loaded(made, secrets=False)
    assert [problem.level for problem in found.problems] == ["warning"] and found.revision is not None
