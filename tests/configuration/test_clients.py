"""`clients/NAME.yaml`: what makes a client, what is refused, and the one that needs no file."""

from __future__ import annotations

from collections.abc import Mapping

import jsonschema_rs
import pytest

from app.configuration.clients_file import CLI
from app.configuration.document import parse
from app.configuration.places import plain
from app.configuration.problems import Problems
from app.configuration.schema import schema
from app.model import DEVICE_CODE, Client
from tests.configuration.builders import ENVIRON, FILES, errors, revision, said

SECRET = "s3cr3t-of-the-deploy-bot-0123456789"
ENVIRONMENT: Mapping[str, str] = {**ENVIRON, "BOT_SECRET": SECRET, "SHORT": "hunter2"}
BOT = """\
name: Deploy bot
grants: [code, device, refresh]
redirect_uris: [https://bot.acme.test/callback]
scopes: [roles]
secret: {env: BOT_SECRET}
"""
FILE = "clients/deploy-bot.yaml"


def with_bot(old: str = "", new: str = "", name: str = FILE) -> dict[str, str]:
    assert old in BOT
    return {**FILES, name: BOT.replace(old, new, 1)}


def words(made: Mapping[str, str]) -> list[str]:
    return said(made, environ=ENVIRONMENT)


def test_a_client_is_what_its_file_says() -> None:
    found = revision(with_bot(), environ=ENVIRONMENT).clients
    assert list(found) == ["cli", "deploy-bot"]
    assert found["deploy-bot"] == Client(
        id="deploy-bot",
        name="Deploy bot",
        grants=frozenset({"authorization_code", DEVICE_CODE, "refresh_token"}),
        redirect_uris=("https://bot.acme.test/callback",),
        scopes=("roles",),
        secret=SECRET,
    )
    assert SECRET not in repr(found)


def test_without_scopes_it_may_ask_for_all_and_without_a_secret_it_is_public() -> None:
    made = {**FILES, FILE: "name: Bot\ngrants: [device]\n"}
    found = revision(made).clients["deploy-bot"]
    assert (found.scopes, found.confidential, found.redirect_uris) == (("roles", "credentials"), False, ())


def test_the_helper_is_in_every_revision_and_a_file_takes_its_place() -> None:
    assert revision(FILES).clients == {"cli": CLI}
    assert (CLI.confidential, CLI.redirect_uris) == (False, ("http://127.0.0.1/callback",))
    made = {**FILES, "clients/cli.yaml": "name: Acme shell\ngrants: [device]\n"}
    found = revision(made)
    assert list(found.clients) == ["cli"]
    assert (found.clients["cli"].name, found.clients["cli"].grants) == (
        "Acme shell",
        frozenset({DEVICE_CODE}),
    )
    assert found.digest != revision(FILES).digest
    assert found.files["clients/cli.yaml"] == made["clients/cli.yaml"]


def test_scopes_have_one_order_however_they_are_written() -> None:
    made = with_bot("[roles]", "[credentials, roles]")
    assert revision(made, environ=ENVIRONMENT).clients["deploy-bot"].scopes == ("roles", "credentials")


MISTAKES = {
    "an unknown key names the nearest": (
        "scopes:",
        "scope:",
        ":4:1  scope  unknown key; did you mean `scopes`?",
    ),
    "no name": ("name: Deploy bot\n", "", ":1:1  name  is missing; expected: what people are shown"),
    "no grants": (
        "grants: [code, device, refresh]\n",
        "",
        ":1:1  grants  is missing; expected: how it may ask",
    ),
    "grants that are none": ("[code, device, refresh]", "[]", ":2:9  grants  is empty"),
    "an unknown grant": (
        "[code, device, refresh]",
        "[code, devise]",
        ":2:16  grants  expected one of `code`, `device`, `refresh`, `exchange`; did you mean `device`?",
    ),
    "a grant twice": (
        "[code, device, refresh]",
        "[code, code]",
        ":2:16  grants  is named twice in this list",
    ),
    "refresh alone": (
        "grants: [code, device, refresh]\nredirect_uris: [https://bot.acme.test/callback]",
        "grants: [refresh]",
        ":2:9  grants  `refresh` alone begins nothing",
    ),
    "code without an address": (
        "redirect_uris: [https://bot.acme.test/callback]\n",
        "",
        ":1:1  redirect_uris  is missing; the grant `code` needs",
    ),
    "code with a list of none": (
        "[https://bot.acme.test/callback]",
        "[]",
        ":3:16  redirect_uris  is empty; the grant",
    ),
    "an address without code": (
        "[code, device, refresh]",
        "[device]",
        ":3:1  redirect_uris  is for the grant `code`, which `grants` does not name",
    ),
    "an address twice": (
        "[https://bot.acme.test/callback]",
        "['https://a.test/', 'https://a.test/']",
        ":3:36  redirect_uris  is named twice",
    ),
    "an unknown scope": (
        "[roles]",
        "[role]",
        ":4:10  scopes  expected one of `roles`, `credentials`; did you mean `roles`?",
    ),
    "scopes that are none": ("[roles]", "[]", ":4:9  scopes  is empty; leave it out for all"),
    "a secret as text": ("{env: BOT_SECRET}", SECRET, ":5:9  secret  a secret is never text here"),
    "a secret that is short": ("BOT_SECRET", "SHORT", ":5:9  secret  expected 22 to 512 printable ASCII"),
    "a secret that is not there": (
        "BOT_SECRET",
        "GONE",
        ":5:9  secret  the environment variable `GONE` is not set",
    ),
    "the helper's name": (
        "Deploy bot",
        "Daypass  Command line",
        ":1:7  name  is also the name of the client `cli`; people could not tell the two apart",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_said_with_its_place(name: str) -> None:
    old, new, expected = MISTAKES[name]
    lines = words(with_bot(old, new))
    assert [line for line in lines if line.startswith(f"config/{FILE}{expected}")], "\n".join(lines)
    assert len(lines) == 1


RIGHT_ADDRESSES = (
    "https://bot.acme.test/callback",
    "https://bot.acme.test:8443/callback?tenant=7",
    "https://192.0.2.7/callback",
    "http://127.0.0.1/callback",
    "http://127.0.0.1:8400/callback",
    "http://[::1]/callback",
    "http://127.0.0.1",
    "com.example.app:/callback",
    "com.example.app://callback",
)
WRONG_ADDRESSES = {
    "http://bot.acme.test/callback": "expected `https://`; `http://` is for `127.0.0.1` and `[::1]` alone",
    "http://127.0.0.2/callback": "expected `https://`",
    "http://localhost/callback": "`localhost` may lead elsewhere",
    "http://LocalHost:8400/callback": "`localhost` may lead elsewhere",
    "https://app.localhost/callback": "`localhost` may lead elsewhere",
    "https://*.acme.test/callback": "holds a `*`; there are no wildcards",
    "https://bot.acme.test/*": "holds a `*`; there are no wildcards",
    "https://bot.acme.test/callback#x": "a redirect address has no `#` part",
    "https://bot.acme.test/callback#": "a redirect address has no `#` part",
    "https://me@bot.acme.test/callback": "an address here has no user name or password",
    "https://bot.acme.test@evil.test/": "an address here has no user name or password",
    "https://169.254.169.254/latest": "link-local, metadata, multicast",
    "https://bot.acme.test/callback?code=1": "has a parameter that the answer brings itself: `code`",
    "https://bot.acme.test/callback?x=1&state=2": "has a parameter that the answer brings itself: `state`",
    "https://bot.acme.test\\@evil.test/": "only the characters of a URL",
    "https://bot.acme.test/call back": "only the characters of a URL",
    "HTTPS://bot.acme.test/callback": "the scheme in lower case",
    "//bot.acme.test/callback": "the scheme in lower case",
    "https:bot.acme.test": "expected an address that begins with `https://`",
    "/callback": "the scheme in lower case",
    "javascript:/alert": "so it has a dot",
    "myapp:/callback": "so it has a dot",
    "data:/x": "so it has a dot",
    "urn:ietf:wg:oauth:2.0:oob": "so it has a dot",
    "com.example.app:callback": "expected a slash behind the scheme",
    "com.example.app://me@callback": "has no user name or password",
    "com..app:/callback": "so it has a dot",
    "ftp.example.app": "the scheme in lower case",
    "https://bot.acme.test/" + "x" * 2048: "at most 2048",
    "": "expected `https://",
}


@pytest.mark.parametrize("address", RIGHT_ADDRESSES)
def test_an_address_that_is_one(address: str) -> None:
    made = with_bot("[https://bot.acme.test/callback]", f'["{address}"]')
    assert revision(made, environ=ENVIRONMENT).clients["deploy-bot"].redirect_uris == (address,)


@pytest.mark.parametrize("address", WRONG_ADDRESSES)
def test_an_address_that_could_lead_elsewhere_is_refused(address: str) -> None:
    made = with_bot("[https://bot.acme.test/callback]", f"['{address}']")
    lines = words(made)
    assert len(lines) == 1 and WRONG_ADDRESSES[address] in lines[0], lines
    assert lines[0].startswith(f"config/{FILE}:3:17  redirect_uris  ")


def test_two_clients_with_one_name_cannot_be_told_apart() -> None:
    lines = words({**with_bot(), "clients/z.yaml": "name: 'deploy  BOT'\ngrants: [device]\n"})
    assert lines == [
        "config/clients/z.yaml:1:7  name  is also the name of the client `deploy-bot`; people could not tell the two apart"
    ]


def test_the_helpers_name_is_free_where_a_file_gives_the_helper_another() -> None:
    made = {
        **FILES,
        "clients/cli.yaml": "name: Acme shell\ngrants: [device]\n",
        "clients/other.yaml": f"name: {CLI.name}\ngrants: [device]\n",
    }
    assert said(made) == []


@pytest.mark.parametrize("name", ["clients/Bot.yaml", "clients/a b.yaml", f"clients/{'x' * 33}.yaml"])
def test_a_file_name_that_is_no_id_is_refused(name: str) -> None:
    lines = words(with_bot(name=name))
    assert lines == [
        f"config/{name}  the file's name is the id of what it holds; expected 1 to 32 of `a-z0-9-`, then `.yaml`"
    ]


def test_everything_is_said_at_once_and_no_secret_with_it() -> None:
    made = {
        **FILES,
        FILE: f"name: Bot\ngrants: [refresh, cod]\nredirect_uris: [http://x.test, '*']\nsecret: {SECRET}\nextra: 1\n",
        "clients/broken.yaml": "name: [\n",
        "accounts.yaml": FILES["accounts.yaml"].replace("[sre]", "[sree]"),
    }
    lines = words(made)
    assert [line.split("  ")[0].removeprefix("config/") for line in lines] == [
        "accounts.yaml:4:21",
        "clients/broken.yaml:2:1",
        f"{FILE}:2:19",
        f"{FILE}:3:17",
        f"{FILE}:3:32",
        f"{FILE}:4:9",
        f"{FILE}:5:1",
    ]
    assert SECRET not in "\n".join(lines)


def test_a_secret_that_is_not_at_hand_is_a_warning_where_secrets_are_let_pass() -> None:
    lines = said(with_bot(), secrets=False)
    assert lines == [
        f"config/{FILE}:5:9  secret  warning: the environment variable `BOT_SECRET` is not set; set it, or name another"
    ]
    assert errors(with_bot()), "and an error where they count"


def data(written: str) -> object:
    place = parse("f", written, Problems())
    assert place is not None
    return plain(place.node)


def test_a_right_file_fits_the_schema_and_an_editor_marks_what_the_check_refuses() -> None:
    validator = dict(schema("client"))
    jsonschema_rs.validate(validator, data(BOT))
    for address in RIGHT_ADDRESSES:
        jsonschema_rs.validate(validator, data(BOT.replace("https://bot.acme.test/callback", f'"{address}"')))
    for name in (
        "an unknown key names the nearest",
        "no name",
        "no grants",
        "an unknown grant",
        "an unknown scope",
        "a secret as text",
    ):
        old, new, _ = MISTAKES[name]
        with pytest.raises(jsonschema_rs.ValidationError):
            jsonschema_rs.validate(validator, data(BOT.replace(old, new, 1)))
