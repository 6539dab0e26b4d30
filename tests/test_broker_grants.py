"""Letting a client in: what may be asked, what a code is worth, and that what comes twice ends what it gave."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from app.audit import AuditWriter
from app.errors import (
    AccessRefused,
    AuditUnavailable,
    ClientNotAllowed,
    ClientRefused,
    GrantError,
    GrantInvalid,
    NotSignedIn,
    RedirectRefused,
    Refusal,
    ScopeInvalid,
    StoreUnavailable,
    TargetInvalid,
    TokenInvalid,
)
from app.model import ClientProof, GrantAsk, Session
from app.store import Search
from app.store.refresh_tokens import RefreshTokens
from tests.helper import ASK, BOT, BOT_ASK, BOT_SECRET, CLI, LOOPBACK, VERIFIER, Helper, bot, said
from tests.house import BASE, CALLER, House, opened


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    with opened(tmp_path, monkeypatch) as made:
        yield made


# --- what the person is shown -------------------------------------------------------------------------------


def test_the_person_sees_who_asks_for_what_and_until_when(house: House) -> None:
    _, ana = house.browser()
    shown = house.broker.consent(ana, ASK, caller=CALLER)
    assert (shown.client.name, shown.scope, shown.device) == (
        "daypass command line",
        ("roles", "credentials"),
        "ana's laptop",
    )
    assert shown.ends_at == ana.created_at + timedelta(hours=12)
    assert house.kinds() == ["revision.activated"], "looking gives nothing"


def test_what_a_machine_calls_itself_is_fit_to_be_shown(house: House) -> None:
    _, ana = house.browser()
    hostile = replace(ASK, device="\x1b[31mana\u202e\n" + "x" * 200)
    shown = house.broker.consent(ana, hostile, caller=CALLER).device
    assert shown.isprintable() and len(shown) <= 64


NOT_TO_BE_ANSWERED = (
    replace(ASK, client="nobody"),
    replace(ASK, client=""),
    replace(ASK, redirect_uri=""),
    replace(ASK, redirect_uri="https://evil.test/callback"),
    replace(ASK, redirect_uri="http://127.0.0.1:51234/callback/../evil"),
    replace(ASK, redirect_uri="http://127.0.0.1:51234@evil.test/callback"),
    replace(ASK, redirect_uri="http://localhost:51234/callback"),
    replace(ASK, redirect_uri="http://127.0.0.1:51234/callback?x=1"),
    replace(BOT_ASK, redirect_uri=LOOPBACK),
    replace(BOT_ASK, redirect_uri="https://bot.acme.test:8443/callback"),
)


@pytest.mark.parametrize("ask", NOT_TO_BE_ANSWERED, ids=lambda ask: f"{ask.client} {ask.redirect_uri}")
def test_nothing_is_sent_to_whom_we_do_not_know(house: House, ask: GrantAsk) -> None:
    bot(house)
    _, ana = house.browser()
    for way in (house.broker.consent, house.broker.authorize):
        with pytest.raises(RedirectRefused):
            way(ana, ask, caller=CALLER)
    assert "grant.approved" not in house.kinds()


WRONG: dict[str, tuple[GrantAsk, type[Refusal]]] = {
    "plain PKCE": (replace(ASK, challenge=VERIFIER[:43], challenge_method="plain"), GrantError),
    "no PKCE": (replace(ASK, challenge="", challenge_method=""), GrantError),
    "PKCE without its method": (replace(ASK, challenge_method=""), GrantError),
    "an unknown scope": (replace(ASK, scope=("roles", "admin")), ScopeInvalid),
    "more than the client may have": (replace(BOT_ASK, scope=("credentials",)), ScopeInvalid),
    "another resource": (replace(ASK, resource="https://elsewhere.test/v1"), TargetInvalid),
    "a prefix of ours": (replace(ASK, resource=BASE), TargetInvalid),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_may_not_be_asked_is_told_to_the_client(house: House, name: str) -> None:
    ask, refusal = WRONG[name]
    bot(house)
    _, ana = house.browser()
    for way in (house.broker.consent, house.broker.authorize):
        with pytest.raises(refusal) as raised:
            way(ana, ask, caller=CALLER)
        assert not isinstance(raised.value, RedirectRefused)
    assert "grant.approved" not in house.kinds()


def test_its_honest_twin_is_granted(house: House) -> None:
    helper, (_, ana) = bot(house), house.browser()
    assert house.broker.consent(ana, replace(BOT_ASK, scope=("roles",)), caller=CALLER).scope == ("roles",)
    assert house.broker.consent(ana, replace(ASK, resource=f"{BASE}/v1"), caller=CALLER)
    assert helper.sign_in(ana, BOT_ASK).scope == ("roles",)


def test_a_client_lets_no_other_client_in(house: House) -> None:
    helper, (_, ana) = Helper(house), house.browser()
    session = helper.bearer(helper.sign_in(ana))
    started = helper.begin()
    with pytest.raises(AccessRefused):
        helper.code(session)
    with pytest.raises(AccessRefused):
        house.broker.device(session, started.user_code, caller=CALLER)
    with pytest.raises(AccessRefused):
        house.broker.decide_device(session, started.user_code, allow=True, caller=CALLER)


# --- a code -------------------------------------------------------------------------------------------------


def test_a_code_gives_a_session_of_its_own_and_every_step_is_on_record(house: House) -> None:
    helper, (_, ana) = Helper(house), house.browser()
    grant = helper.code(ana)
    assert house.last() == (
        "grant.approved",
        {
            "client": "cli",
            "device": "ana's laptop",
            "grant": "authorization_code",
            "scope": ["roles", "credentials"],
        },
    )
    house.clock.at += timedelta(seconds=59)
    tokens = helper.redeem(grant)
    session = helper.bearer(tokens)
    assert (session.client, session.device, session.approved_by) == ("cli", "ana's laptop", ana.id)
    assert (session.identity, session.trust, session.began) == (ana.identity, ana.trust, ana.created_at)
    assert session.id != ana.id and session.csrf != ana.csrf
    kind, detail = house.last()
    assert (kind, detail["client"], detail["device"], detail["approved_by"], detail["scope"]) == (
        "session.started",
        "cli",
        "ana's laptop",
        ana.id,
        ["roles", "credentials"],
    )
    records = str(house.store.audit.search(Search()))
    for secret in (grant.code, tokens.access_token, tokens.refresh_token, VERIFIER, ASK.challenge):
        assert secret and secret not in records


def test_the_access_token_names_its_audience_its_session_and_no_e_mail_address(house: House) -> None:
    helper, (_, ana) = Helper(house), house.browser()
    tokens = helper.sign_in(ana)
    claims = said(tokens)
    assert (claims["iss"], claims["aud"], claims["client_id"], claims["scope"]) == (
        BASE,
        f"{BASE}/v1",
        "cli",
        "roles credentials",
    )
    assert claims["sid"] == helper.bearer(tokens).id
    assert "ana" not in str(claims["sub"])
    assert tokens.expires_in == timedelta(hours=1)
    assert tokens.session_ends_at == ana.created_at + timedelta(hours=12)


def late(house: House) -> None:
    house.clock.at += timedelta(seconds=61)


def nothing(house: House) -> None:
    pass


SPOILED: dict[str, tuple[Callable[[House], None], dict[str, str]]] = {
    "after its minute": (late, {}),
    "another port": (nothing, {"redirect_uri": "http://127.0.0.1:51235/callback"}),
    "no address": (nothing, {"redirect_uri": ""}),
    "another verifier": (nothing, {"verifier": VERIFIER[:-1] + "x"}),
    "no verifier": (nothing, {"verifier": ""}),
    "the challenge for the verifier": (nothing, {"verifier": ASK.challenge}),
}


@pytest.mark.parametrize("name", SPOILED)
def test_a_code_that_is_shown_wrong_gives_nothing_then_or_later(house: House, name: str) -> None:
    before, changed = SPOILED[name]
    helper, (_, ana) = Helper(house), house.browser()
    grant = helper.code(ana)
    before(house)
    with pytest.raises(GrantInvalid):
        helper.redeem(grant, **changed)
    with pytest.raises(GrantInvalid):
        helper.redeem(grant)
    assert "session.started" not in house.kinds()


@pytest.mark.parametrize("changed", [{"resource": "https://elsewhere.test/v1"}, {"resource": BASE}])
def test_a_code_for_another_audience_gives_nothing(house: House, changed: dict[str, str]) -> None:
    helper, (_, ana) = Helper(house), house.browser()
    with pytest.raises(TargetInvalid):
        helper.redeem(helper.code(ana), **changed)
    assert helper.redeem(helper.code(ana), resource=f"{BASE}/v1")


def test_a_code_that_comes_twice_ends_what_it_gave_at_once(house: House) -> None:
    helper, (_, ana) = Helper(house), house.browser()
    grant = helper.code(ana)
    tokens = helper.redeem(grant)
    session = helper.bearer(tokens)
    with pytest.raises(GrantInvalid):
        helper.redeem(grant)
    assert house.last() == ("token.reused", {"what": "authorization_code", "client": "cli", "ended": True})
    (record,) = house.store.audit.search(Search(limit=1))
    assert record.record.session == session.id
    with pytest.raises(TokenInvalid):
        helper.bearer(tokens)
    with pytest.raises(GrantInvalid):
        helper.refresh(tokens.refresh_token)
    assert house.broker.sessions(ana, caller=CALLER) == [ana], "the person stays signed in"


def test_another_clients_code_is_refused_and_stays_good_for_its_own(house: House) -> None:
    thief, helper, (_, ana) = bot(house), Helper(house), house.browser()
    grant = helper.code(ana)
    with pytest.raises(GrantInvalid):
        thief.redeem(grant)
    assert helper.redeem(grant)


def test_of_twenty_who_redeem_a_code_at_once_at_most_one_gets_in_and_reuse_ends_that_one(
    house: House,
) -> None:
    helper, (_, ana) = Helper(house), house.browser()
    grant = helper.code(ana)

    def attempt(_: int) -> object:
        try:
            return helper.redeem(grant)
        except GrantInvalid:
            return None

    with ThreadPoolExecutor(8) as pool:
        given = [each for each in pool.map(attempt, range(20)) if each is not None]
    assert len(given) <= 1
    assert [each.client for each in house.broker.sessions(ana, caller=CALLER)] == [None]
    assert house.kinds().count("token.reused") == 19


def signed_out(house: House, ana: Session) -> None:
    house.broker.sign_out(ana, caller=CALLER)


def removed(house: House, ana: Session) -> None:
    house.write("clients/cli.yaml", "name: Shell\ngrants: [device]\n")
    house.apply()


def other_directory(house: House, ana: Session) -> None:
    house.edit("providers/corp.yaml", "subject: NameID", "subject: uid")
    house.apply()


@pytest.mark.parametrize("what", [signed_out, removed, other_directory])
def test_what_ends_between_the_yes_and_the_code_counts(
    house: House, what: Callable[[House, Session], None]
) -> None:
    helper, (_, ana) = Helper(house), house.browser()
    grant = helper.code(ana)
    what(house, ana)
    with pytest.raises((GrantInvalid, ClientNotAllowed)):
        helper.redeem(grant)
    assert "session.started" not in house.kinds()


def test_who_signs_out_while_the_code_is_being_redeemed_lets_nobody_in(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper, (_, ana) = Helper(house), house.browser()
    grant = helper.code(ana)
    real = RefreshTokens.begin

    def slow(self: RefreshTokens, *arguments: object, **named: object) -> bool:
        house.store.sessions.end(ana.id, house.clock.at)
        return real(self, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(RefreshTokens, "begin", slow)
    with pytest.raises(GrantInvalid):
        helper.redeem(grant)
    assert house.store.sessions.of(ana.identity.source, ana.identity.subject, house.clock.at) == []


def test_an_approval_that_is_not_on_record_gives_no_code_and_a_session_neither(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper, (_, ana) = Helper(house), house.browser()
    grant = helper.code(ana)

    def full(*_: object) -> None:
        raise AuditUnavailable

    with monkeypatch.context() as patched:
        patched.setattr(AuditWriter, "record", full)
        patched.setattr(
            type(house.store.codes), "add", lambda *_: pytest.fail("a code that is not on record")
        )
        with pytest.raises(AuditUnavailable):
            helper.code(ana)
        with pytest.raises(AuditUnavailable):
            helper.redeem(grant)
    assert house.broker.sessions(ana, caller=CALLER) == [ana]


def test_a_store_that_fails_last_gives_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    helper, (_, ana) = Helper(house), house.browser()
    grant = helper.code(ana)

    def down(*_: object, **__: object) -> bool:
        raise StoreUnavailable

    monkeypatch.setattr(RefreshTokens, "begin", down)
    with pytest.raises(StoreUnavailable):
        helper.redeem(grant)
    monkeypatch.undo()
    assert house.broker.sessions(ana, caller=CALLER) == [ana]


# --- how long -----------------------------------------------------------------------------------------------


def test_a_clients_session_outlives_the_browsers_idleness_and_its_sign_out_but_not_its_lifetime(
    house: House,
) -> None:
    helper, (cookie, ana) = Helper(house), house.browser()
    tokens = helper.sign_in(ana)
    house.broker.sign_out(ana, caller=CALLER)
    for _ in range(11):
        house.clock.at += timedelta(hours=1)
        tokens = helper.refresh(tokens.refresh_token)
        assert helper.bearer(tokens)
    house.clock.at += timedelta(minutes=59)
    tokens = helper.refresh(tokens.refresh_token)
    assert tokens.expires_in == timedelta(minutes=1), "no access token outlasts the session"
    house.clock.at += timedelta(minutes=1)
    with pytest.raises(TokenInvalid):
        helper.bearer(tokens)
    with pytest.raises(GrantInvalid):
        helper.refresh(tokens.refresh_token)
    with pytest.raises(NotSignedIn):
        house.broker.session(cookie, caller=CALLER)


def test_who_lets_a_client_in_late_does_not_prolong_their_sign_in_by_it(house: House) -> None:
    helper, (cookie, _) = Helper(house), house.browser()
    for _ in range(11):
        house.clock.at += timedelta(hours=1)
        ana = house.broker.session(cookie, caller=CALLER)
    tokens = helper.sign_in(ana)
    assert tokens.session_ends_at == ana.created_at + timedelta(hours=12)
    assert helper.bearer(tokens).began == ana.created_at


def test_a_sign_in_that_the_directory_ends_sooner_ends_its_clients_then(house: House) -> None:
    helper, (_, ana) = Helper(house), house.browser()
    end = house.clock.at + timedelta(hours=3)
    short = replace(ana, id="0123456789abcdef", expires_at=end, idle_at=end)
    house.store.sessions.add("cookie", short)
    assert house.broker.consent(short, ASK, caller=CALLER).ends_at == end
    tokens = helper.sign_in(short)
    assert (tokens.session_ends_at, helper.bearer(tokens).expires_at) == (end, end)


def test_a_shorter_life_of_refresh_tokens_ends_what_began_before_it(house: House) -> None:
    house.edit("daypass.yaml", "tokens: {access: 1h, refresh: 12h}", "tokens: {access: 1h, refresh: 3h}")
    house.apply()
    helper, (_, ana) = Helper(house), house.browser()
    tokens = helper.sign_in(ana)
    assert tokens.session_ends_at == house.clock.at + timedelta(hours=3)
    house.edit("daypass.yaml", "refresh: 3h", "refresh: 1h")
    house.apply()
    house.clock.at += timedelta(minutes=59)
    tokens = helper.refresh(tokens.refresh_token)
    house.clock.at += timedelta(minutes=1)
    with pytest.raises(TokenInvalid):
        helper.bearer(tokens)
    with pytest.raises(GrantInvalid):
        helper.refresh(tokens.refresh_token)


def test_a_shorter_lifetime_of_sessions_counts_from_the_sign_in_for_clients_too(house: House) -> None:
    helper, (_, ana) = Helper(house), house.browser()
    house.clock.at += timedelta(minutes=50)
    tokens = helper.sign_in(ana)
    house.edit("daypass.yaml", "lifetime: 12h, idle: 2h", "lifetime: 1h, idle: 15m")
    house.apply()
    assert helper.bearer(tokens)
    house.clock.at = ana.created_at + timedelta(hours=1)
    with pytest.raises(TokenInvalid):
        helper.bearer(tokens)


def test_a_client_that_may_not_refresh_gets_no_refresh_token_and_a_session_no_longer_than_its_token(
    house: House,
) -> None:
    house.write(
        "clients/once.yaml", "name: Once\ngrants: [code]\nredirect_uris: [http://127.0.0.1/callback]\n"
    )
    house.apply()
    helper, (_, ana) = Helper(house, ClientProof("once")), house.browser()
    tokens = helper.sign_in(ana, replace(ASK, client="once"))
    assert (tokens.refresh_token, tokens.session_ends_at) == (None, house.clock.at + timedelta(hours=1))
    with pytest.raises(ClientNotAllowed):
        helper.refresh("x")


# --- which client -------------------------------------------------------------------------------------------


IMPOSTORS = {
    "no secret": ClientProof("bot"),
    "an empty secret": ClientProof("bot", ""),
    "a wrong secret": ClientProof("bot", BOT_SECRET + "x"),
    "a prefix of it": ClientProof("bot", BOT_SECRET[:-1]),
    "bytes that are no text": ClientProof("bot", "\ud800"),
    "an unknown client": ClientProof("nobody", BOT_SECRET),
    "no client": ClientProof(""),
    "the name in another case": ClientProof("BOT", BOT_SECRET),
    "a secret of a client that has none": ClientProof("cli", BOT_SECRET),
}


@pytest.mark.parametrize("name", IMPOSTORS)
def test_who_is_not_the_client_learns_nothing_of_why(house: House, name: str) -> None:
    bot(house)
    impostor = Helper(house, IMPOSTORS[name])
    seen = []
    for ask in (impostor.begin, lambda: impostor.refresh("x"), lambda: house.broker.revoke(
        IMPOSTORS[name], "x", caller=CALLER)):  # fmt: skip
        with pytest.raises(ClientRefused) as refused:
            ask()
        seen.append((refused.value.code, refused.value.words))
        assert BOT_SECRET not in refused.value.detail
    assert len(set(seen)) == 1


def test_the_client_itself_gets_in_also_where_an_empty_secret_stands_for_none(house: House) -> None:
    assert bot(house).begin(("roles",))
    assert Helper(house, ClientProof("cli", "")).begin()


def test_a_client_that_is_gone_is_signed_out_everywhere(house: House) -> None:
    helper, (_, ana) = bot(house), house.browser()
    tokens = helper.sign_in(ana, BOT_ASK)
    other = Helper(house).sign_in(ana)
    (house.config / "clients" / "bot.yaml").unlink()
    house.apply()
    with pytest.raises(TokenInvalid):
        helper.bearer(tokens)
    with pytest.raises(ClientRefused):
        helper.refresh(tokens.refresh_token)
    assert {each.client for each in house.broker.sessions(ana, caller=CALLER)} == {"cli", None}
    assert Helper(house).bearer(other)


def test_a_client_that_may_have_less_has_less_at_once(house: House) -> None:
    helper, (_, ana) = Helper(house), house.browser()
    grant, tokens = helper.code(ana), helper.sign_in(ana)
    assert helper.bearer(tokens, "credentials")
    house.write(
        "clients/cli.yaml",
        "name: Shell\ngrants: [code, refresh]\nredirect_uris: [http://127.0.0.1/callback]\nscopes: [roles]\n",
    )
    house.apply()
    with pytest.raises(AccessRefused):
        helper.bearer(tokens, "credentials")
    assert helper.bearer(tokens, "roles")
    assert helper.refresh(tokens.refresh_token).scope == ("roles",)
    assert helper.redeem(grant).scope == ("roles",)


def test_proofs_do_not_show_their_secrets() -> None:
    assert BOT_SECRET not in repr(BOT) and CLI.secret is None
