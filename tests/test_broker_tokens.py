"""What a token is worth: refreshing, reuse, bearers, introspection, revocation, and floods of bad ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from app.audit import AuditWriter
from app.errors import (
    AuditUnavailable,
    ClientNotAllowed,
    ClientRefused,
    GrantInvalid,
    NotSignedIn,
    Refusal,
    ScopeInvalid,
    ScopeTooNarrow,
    StoreUnavailable,
    TargetInvalid,
    TokenInvalid,
    TooMany,
)
from app.limits import REFUSALS_PER_MINUTE
from app.model import CodeProof, RoleAsk, Scope, Session, Tokens
from app.store import Search
from app.store.sessions import Sessions
from app.tokens import GRACE, AccessClaims, AccessTokens, SigningKeys, new_token_id
from tests.helper import ASK, BOT_ASK, CLI, Helper, bot, said
from tests.house import BASE, CALLER, READ_ONLY, House, opened

ELSEWHERE = replace(CALLER, address="198.51.100.9", request_id="r-2")


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    with opened(tmp_path, monkeypatch) as made:
        yield made


def over(tokens: Tokens, helper: Helper) -> bool:
    """Nothing of these tokens works any more."""
    try:
        helper.bearer(tokens)
    except TokenInvalid:
        try:
            helper.refresh(tokens.refresh_token)
        except GrantInvalid:
            return True
    return False


# --- refreshing ---------------------------------------------------------------------------------------------


def test_a_refresh_gives_new_tokens_of_the_same_session_and_notes_where_from(house: House) -> None:
    helper, (_, ana) = Helper(house), house.browser()
    first = helper.sign_in(ana)
    house.clock.at += timedelta(minutes=5)
    second = Helper(house, caller=ELSEWHERE).refresh(first.refresh_token)
    assert second.refresh_token != first.refresh_token
    assert said(second)["jti"] != said(first)["jti"] and said(second)["sid"] == said(first)["sid"]
    session = helper.bearer(second)
    assert (session.last_used, session.last_address) == (house.clock.at, ELSEWHERE.address)
    assert helper.bearer(first), "the old access token ends by itself"


def test_two_who_refresh_at_once_get_the_same_successor(house: House) -> None:
    helper, (_, ana) = Helper(house), house.browser()
    tokens = helper.sign_in(ana)
    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(lambda _: helper.refresh(tokens.refresh_token), range(16)))
    assert len({each.refresh_token for each in given}) == 1
    house.clock.at += GRACE
    assert helper.refresh(tokens.refresh_token).refresh_token == given[0].refresh_token
    assert helper.refresh(given[0].refresh_token)


def after_the_grace(house: House, helper: Helper, tokens: Tokens) -> Tokens:
    successor = helper.refresh(tokens.refresh_token)
    house.clock.at += GRACE + timedelta(seconds=1)
    return successor


def after_the_successor_was_used(house: House, helper: Helper, tokens: Tokens) -> Tokens:
    successor = helper.refresh(tokens.refresh_token)
    return helper.refresh(successor.refresh_token)


@pytest.mark.parametrize("when", [after_the_grace, after_the_successor_was_used])
def test_a_refresh_token_that_comes_again_ends_the_family_and_its_access_tokens_at_once(
    house: House, when: Callable[[House, Helper, Tokens], Tokens]
) -> None:
    helper, (_, ana) = Helper(house), house.browser()
    tokens = helper.sign_in(ana)
    other = helper.sign_in(ana)
    latest = when(house, helper, tokens)
    session = helper.bearer(latest)
    with pytest.raises(GrantInvalid):
        Helper(house, caller=ELSEWHERE).refresh(tokens.refresh_token)
    assert over(latest, helper)
    (record,) = house.store.audit.search(Search(limit=1))
    assert (record.record.kind, record.record.session, record.record.username, record.record.address) == (
        "token.reused",
        session.id,
        "ana",
        ELSEWHERE.address,
    )
    assert house.last()[1] == {
        "what": "refresh_token",
        "client": "cli",
        "device": "ana's laptop",
        "ended": True,
    }
    assert helper.bearer(other), "the same person's other helper goes on"


def test_reuse_ends_the_family_also_where_that_cannot_be_put_on_record(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper, (_, ana) = Helper(house), house.browser()
    tokens = helper.sign_in(ana)
    latest = after_the_grace(house, helper, tokens)

    def full(*_: object) -> None:
        raise AuditUnavailable

    with monkeypatch.context() as patched:
        patched.setattr(AuditWriter, "record", full)
        with pytest.raises(AuditUnavailable):
            helper.refresh(tokens.refresh_token)
    assert over(latest, helper)


def test_scope_may_shrink_for_one_access_token_and_never_grow(house: House) -> None:
    helper, (_, ana) = Helper(house), house.browser()
    tokens = helper.sign_in(ana)
    narrow = helper.refresh(tokens.refresh_token, "roles")
    assert (narrow.scope, said(narrow)["scope"]) == (("roles",), "roles")
    with pytest.raises(ScopeTooNarrow):
        helper.bearer(narrow, "credentials")
    wide = helper.refresh(narrow.refresh_token)
    assert wide.scope == ("roles", "credentials") and helper.bearer(wide, "credentials")
    small = helper.sign_in(ana, replace(ASK, scope=("roles",)))
    for scope in (("roles", "credentials"), ("credentials",), ("nonsense",)):
        with pytest.raises(ScopeInvalid):
            helper.refresh(small.refresh_token, *scope)
    assert helper.refresh(small.refresh_token, "roles"), "who asked for too much keeps what they have"


def test_a_refresh_for_another_audience_is_refused_and_uses_nothing_up(house: House) -> None:
    helper, (_, ana) = Helper(house), house.browser()
    tokens = helper.sign_in(ana)
    with pytest.raises(TargetInvalid):
        helper.refresh(tokens.refresh_token, resource="https://elsewhere.test")
    again = helper.refresh(tokens.refresh_token, resource=f"{BASE}/v1")
    assert helper.refresh(again.refresh_token)


def test_another_clients_refresh_token_is_refused_as_an_unknown_one_and_stays_good(house: House) -> None:
    thief, helper, (_, ana) = bot(house), Helper(house), house.browser()
    tokens = helper.sign_in(ana)
    seen = set()
    for token in (tokens.refresh_token, "unknown", "", "\ud800" * 9000, tokens.access_token):
        with pytest.raises(GrantInvalid) as refused:
            thief.refresh(token)
        seen.add((refused.value.detail, refused.value.words))
    assert len(seen) == 1
    assert helper.refresh(tokens.refresh_token)


# --- bearers ------------------------------------------------------------------------------------------------


def test_an_access_token_is_who_asked_and_credentials_name_client_and_device(house: House) -> None:
    helper, (_, ana) = Helper(house), house.browser()
    session = helper.bearer(helper.sign_in(ana), "credentials")
    assert house.broker.credentials(session, RoleAsk(READ_ONLY), caller=CALLER)
    records = house.store.audit.search(Search(limit=2))
    assert [str(each.record.kind) for each in records] == ["credentials.issued", "credentials.asked"]
    for each in records:
        assert '"client":"cli"' in each.record.detail and "ana's laptop" in each.record.detail
    browser, _ = house.browser()
    house.ask(browser)
    assert '"client"' not in house.store.audit.search(Search(limit=1))[0].record.detail


@pytest.mark.parametrize(("asked", "needed"), [("roles", "credentials"), ("credentials", "roles")])
def test_a_token_does_only_what_it_was_asked_for(house: House, asked: Scope, needed: Scope) -> None:
    helper, (_, ana) = Helper(house), house.browser()
    tokens = helper.sign_in(ana, replace(ASK, scope=(asked,)))
    with pytest.raises(ScopeTooNarrow):
        helper.bearer(tokens, needed)
    assert helper.bearer(tokens, asked)


def test_a_token_lives_its_hour_and_not_a_second_longer(house: House) -> None:
    helper, (_, ana) = Helper(house), house.browser()
    tokens = helper.sign_in(ana)
    house.clock.at += timedelta(minutes=59, seconds=59)
    assert helper.bearer(tokens)
    house.clock.at += timedelta(seconds=1)
    with pytest.raises(TokenInvalid):
        helper.bearer(tokens)


def test_a_token_from_the_future_is_none(house: House) -> None:
    helper, (_, ana) = Helper(house), house.browser()
    house.clock.at += timedelta(seconds=61)
    tokens = helper.sign_in(ana)
    house.clock.at -= timedelta(seconds=61)
    with pytest.raises(TokenInvalid):
        helper.bearer(tokens)
    house.clock.at += timedelta(seconds=1)
    assert helper.bearer(tokens)


def forged(house: House, tokens: Tokens, **changed: str) -> Tokens:
    """The token with other claims, signed with the broker's own key: what a defect elsewhere might make."""
    claims = AccessTokens(SigningKeys(house.store.token_keys, house.clock)).read(
        tokens.access_token, BASE, f"{BASE}/v1", house.clock.at
    )
    made = replace(claims, token_id=new_token_id(), **changed)  # type: ignore[arg-type]
    assert isinstance(made, AccessClaims)
    signed = AccessTokens(SigningKeys(house.store.token_keys, house.clock)).mint(made)
    return replace(tokens, access_token=signed)


CONFUSED = {
    "another issuer": {"issuer": "https://other.test"},
    "another audience": {"audience": BASE},
    "another client": {"client": "bot"},
    "another person": {"subject": "somebody-else"},
    "a session that is none": {"session": "0123456789abcdef"},
}


@pytest.mark.parametrize("name", CONFUSED)
def test_a_token_of_ours_that_speaks_for_something_else_is_none(house: House, name: str) -> None:
    bot(house)
    helper, (_, ana) = Helper(house), house.browser()
    tokens = helper.sign_in(ana)
    assert helper.bearer(forged(house, tokens)), "the honest twin"
    with pytest.raises(TokenInvalid):
        helper.bearer(forged(house, tokens, **CONFUSED[name]))


def test_a_token_never_speaks_for_a_browsers_session(house: House) -> None:
    helper, (_, ana) = Helper(house), house.browser()
    tokens = helper.sign_in(ana)
    with pytest.raises(TokenInvalid):
        helper.bearer(forged(house, tokens, session=ana.id))


@pytest.mark.parametrize(
    "token", ["", "x", "a.b.c", "\ud800", "é.é.é", "." * 9000, "eyJhbGciOiJub25lIn0.e30."]
)
def test_what_is_no_token_is_refused(house: House, token: str) -> None:
    with pytest.raises(TokenInvalid):
        house.broker.bearer(token, "roles", caller=CALLER)


def test_a_refresh_token_or_a_cookie_is_no_access_token(house: House) -> None:
    helper, (cookie, ana) = Helper(house), house.browser()
    tokens = helper.sign_in(ana)
    assert tokens.refresh_token is not None
    for token in (tokens.refresh_token, cookie):
        with pytest.raises(TokenInvalid):
            house.broker.bearer(token, "roles", caller=CALLER)


def test_a_clients_session_opens_no_page_whatever_its_cookie(house: House) -> None:
    _, ana = house.browser()
    house.store.sessions.add("cookie", replace(ana, id="0123456789abcdef", client="cli"))
    with pytest.raises(NotSignedIn):
        house.broker.session("cookie", caller=CALLER)
    house.store.sessions.add("other", replace(ana, id="0123456789abcdee"))
    assert house.broker.session("other", caller=CALLER)


def ended(house: House, ana: Session, session: Session) -> None:
    house.broker.end_session(ana, session.id, caller=CALLER)


def other_directory(house: House, ana: Session, session: Session) -> None:
    house.edit("providers/corp.yaml", "subject: NameID", "subject: uid")
    house.apply()


def no_directory(house: House, ana: Session, session: Session) -> None:
    (house.config / "providers" / "corp.yaml").rename(house.config / "providers" / "staff.yaml")
    house.apply()


@pytest.mark.parametrize("what", [ended, other_directory, no_directory])
def test_what_ends_a_session_ends_its_tokens_at_once(
    house: House, what: Callable[[House, Session, Session], None]
) -> None:
    helper, (_, ana) = Helper(house), house.browser()
    tokens = helper.sign_in(ana)
    what(house, ana, helper.bearer(tokens))
    assert over(tokens, helper)


def test_a_use_is_noted_at_most_each_minute_and_a_failing_note_stops_nobody(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper, (_, ana) = Helper(house), house.browser()
    tokens = helper.sign_in(ana)
    real, notes = Sessions.touch, []

    def touch(self: Sessions, *arguments: object) -> None:
        notes.append(arguments)
        real(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Sessions, "touch", touch)
    for _ in range(5):
        house.clock.at += timedelta(seconds=20)
        Helper(house, caller=ELSEWHERE).bearer(tokens)
    assert len(notes) == 1
    session = helper.bearer(tokens)
    assert (session.last_used, session.last_address) == (notes[0][2], ELSEWHERE.address)

    def down(*_: object) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(Sessions, "touch", down)
    house.clock.at += timedelta(minutes=5)
    assert helper.bearer(tokens)


def test_tokens_of_a_key_that_rotated_meanwhile_go_on_on_every_worker(house: House) -> None:
    helper, (_, ana) = Helper(house), house.browser()
    old_kids = {key["kid"] for key in house.broker.signing_keys()["keys"]}  # type: ignore[attr-defined]
    tokens = helper.sign_in(ana)
    keys = SigningKeys(house.store.token_keys, house.clock)
    house.clock.at += timedelta(days=28)
    keys.rotate(house.clock.at)
    house.clock.at += timedelta(days=3)
    _, bea = house.browser("bea")
    fresh = helper.sign_in(bea)
    published = {key["kid"] for key in house.broker.signing_keys()["keys"]}  # type: ignore[attr-defined]
    assert old_kids < published
    assert helper.bearer(fresh)
    with pytest.raises(TokenInvalid):
        helper.bearer(tokens)


# --- introspection ------------------------------------------------------------------------------------------


def test_a_client_with_a_secret_is_told_what_its_tokens_are_worth(house: House) -> None:
    helper, (_, ana) = bot(house), house.browser()
    tokens = helper.sign_in(ana, BOT_ASK)
    state = house.broker.introspect(helper.proof, tokens.access_token, caller=CALLER)
    assert (state.active, state.client, state.scope, state.username, state.audience) == (
        True,
        "bot",
        ("roles",),
        "ana",
        f"{BASE}/v1",
    )
    assert state.expires_at == house.clock.at + timedelta(hours=1)
    assert tokens.refresh_token is not None
    state = house.broker.introspect(helper.proof, tokens.refresh_token, caller=CALLER)
    assert (state.active, state.expires_at) == (True, tokens.session_ends_at)


def test_of_what_is_over_or_anothers_it_is_told_nothing(house: House) -> None:
    helper, (_, ana) = bot(house), house.browser()
    theirs = Helper(house).sign_in(ana)
    mine = helper.sign_in(ana, BOT_ASK)
    used = mine.refresh_token
    latest = helper.refresh(used)
    session = helper.bearer(latest)
    ended(house, ana, session)
    for token in (
        theirs.access_token,
        theirs.refresh_token,
        latest.access_token,
        latest.refresh_token,
        used,
        "x",
        "",
    ):
        assert token is not None
        state = house.broker.introspect(helper.proof, token, caller=CALLER)
        assert state == type(state)(active=False)


def test_a_used_refresh_token_is_not_active(house: House) -> None:
    helper, (_, ana) = bot(house), house.browser()
    tokens = helper.sign_in(ana, BOT_ASK)
    helper.refresh(tokens.refresh_token)
    assert tokens.refresh_token is not None
    assert not house.broker.introspect(helper.proof, tokens.refresh_token, caller=CALLER).active


def test_a_client_without_a_secret_may_not_ask(house: House) -> None:
    helper, (_, ana) = Helper(house), house.browser()
    tokens = helper.sign_in(ana)
    with pytest.raises(ClientNotAllowed):
        house.broker.introspect(CLI, tokens.access_token, caller=CALLER)
    with pytest.raises(ClientRefused):
        house.broker.introspect(replace(CLI, id="bot"), tokens.access_token, caller=CALLER)


# --- revocation ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["access", "refresh", "used refresh"])
def test_revoking_any_token_ends_the_session_and_is_on_record(house: House, which: str) -> None:
    helper, (_, ana) = Helper(house), house.browser()
    tokens = helper.sign_in(ana)
    used = tokens.refresh_token
    if which == "used refresh":
        tokens = helper.refresh(used)
    session = helper.bearer(tokens)
    token = {"access": tokens.access_token, "refresh": tokens.refresh_token, "used refresh": used}[which]
    assert token is not None
    house.broker.revoke(CLI, token, caller=CALLER)
    assert over(tokens, helper)
    assert house.last() == ("session.ended", {"by": "revocation", "client": "cli", "device": "ana's laptop"})
    assert house.store.audit.search(Search(limit=1))[0].record.session == session.id
    house.broker.revoke(CLI, token, caller=CALLER)  # again: no error, no second record
    assert house.kinds().count("session.ended") == 1


def test_nobody_revokes_what_is_not_theirs(house: House) -> None:
    thief, helper, (cookie, ana) = bot(house), Helper(house), house.browser()
    tokens = helper.sign_in(ana)
    for token in (tokens.access_token, tokens.refresh_token, cookie, "", "\ud800", "x" * 9000):
        assert token is not None
        house.broker.revoke(thief.proof, token, caller=CALLER)
    assert helper.bearer(tokens) and helper.refresh(tokens.refresh_token)
    assert house.broker.session(cookie, caller=CALLER)


# --- floods -------------------------------------------------------------------------------------------------


def fill(house: House, address: str = CALLER.address) -> None:
    for number in range(REFUSALS_PER_MINUTE):
        with pytest.raises(Refusal):
            house.broker.redeem(
                CLI, CodeProof(f"guess {number}", "", ""), caller=replace(CALLER, address=address)
            )


def test_an_address_that_guesses_waits_and_nobody_else_does(house: House) -> None:
    helper, (_, ana) = Helper(house), house.browser()
    tokens = helper.sign_in(ana)
    fill(house)
    for ask in (
        lambda: helper.refresh(tokens.refresh_token),
        helper.begin,
        lambda: house.broker.revoke(CLI, "x", caller=CALLER),
        lambda: house.broker.introspect(CLI, "x", caller=CALLER),
    ):
        with pytest.raises(TooMany):
            ask()
    assert helper.bearer(tokens), "what an access token opens stays open"
    assert house.sign_in(), "and so does signing in"
    elsewhere = Helper(house, caller=ELSEWHERE).refresh(tokens.refresh_token)
    house.clock.at += timedelta(minutes=1)
    assert helper.refresh(elsewhere.refresh_token)


def test_refusals_are_counted_for_the_operator(house: House) -> None:
    with pytest.raises(GrantInvalid):
        Helper(house).refresh("guess")
    saved: list[tuple[object, ...]] = []
    house.broker._tally.flush(lambda *count: saved.append(count))
    assert [(each[1], each[2], each[3]) for each in saved] == [(CALLER.address, "oauth.invalid_grant", 1)]


def test_an_office_behind_one_address_is_never_limited_by_what_goes_well(house: House) -> None:
    helper, (_, ana) = Helper(house), house.browser()
    tokens = helper.sign_in(ana)
    for _ in range(REFUSALS_PER_MINUTE + 10):
        tokens = helper.refresh(tokens.refresh_token)
    assert helper.bearer(tokens)
