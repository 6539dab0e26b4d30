"""Guests, and the logins of one person: started, claimed, linked, taken away, and never anybody else's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from app import limits
from app.audit import AuditWriter
from app.errors import (
    AuditUnavailable,
    ClientNotAllowed,
    GrantInvalid,
    LoginNeeded,
    LoginTaken,
    NoRoleForApp,
    Refusal,
    StoreUnavailable,
    SubjectTokenAudience,
    SubjectTokenRefused,
    TokenInvalid,
    TooMany,
)
from app.model import GUEST, ClientProof, Exchanged, GrantAsk, RoleAsk, Scope, SourceId, SubjectProof
from app.store import Search
from app.store.identities import Claimed, Identities
from app.store.lines import Lines
from app.store.refresh_tokens import RefreshTokens
from tests.exchanging import APP, AWS, HOUR, NOTES, PHOTO, SOCIAL, TOKENS, UPLOADS, Apps, apps_in
from tests.helper import CHALLENGE, LOOPBACK, Helper, said
from tests.house import CALLER, FakeAws

ELSEWHERE = replace(CALLER, address="198.51.100.9")
TWEET = SourceId("tweet")


@pytest.fixture
def apps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Apps]:
    with apps_in(tmp_path, monkeypatch) as made:
        yield made


@pytest.fixture
def two(apps: Apps) -> Apps:
    """The app accepts two sources."""
    house = apps.house
    house.write("providers/tweet.yaml", (house.config / "providers/social.yaml").read_text())
    house.edit("providers/tweet.yaml", "label: Acme app sign-in", "label: Tweet")
    house.edit(PHOTO, "accepts: {social: [acme-app]}", "accepts: {social: [acme-app], tweet: [acme-app]}")
    house.apply()
    assert house.broker.sources()
    return apps


def link(apps: Apps, one: SubjectProof, other: SubjectProof, app: ClientProof = APP) -> object:
    return apps.house.broker.link(app, one, other, caller=CALLER)


def unlink(apps: Apps, one: SubjectProof, source: str) -> object:
    return apps.house.broker.unlink(APP, one, source, caller=CALLER)


def alive(apps: Apps, given: Exchanged, scope: Scope = "roles") -> bool:
    try:
        apps.helper().bearer(apps.tokens(given), scope)
    except TokenInvalid:
        return False
    return True


def with_guest(given: Exchanged, apps: Apps) -> object:
    return replace(TOKENS, guest_token=apps.tokens(given).access_token)


# --- guests -------------------------------------------------------------------------------------------------


def test_a_guest_has_an_identity_the_guests_group_and_nothing_of_anybodys(apps: Apps) -> None:
    given, other = apps.guest(), apps.guest()
    assert given.identity_id != other.identity_id
    session = apps.helper().bearer(apps.tokens(given), "credentials")
    who = session.identity
    assert (who.source, who.subject, who.username) == (GUEST, given.identity_id, "guest")
    assert who.groups == ("app/photo-app/guests",)
    assert (session.pool_identity, session.client, session.trust) == (given.identity_id, "photo-app", "")
    assert apps.house.broker.credentials(session, RoleAsk(UPLOADS), caller=CALLER)
    assert f"app-uploads/{given.identity_id}/*" in (FakeAws.asked[-1].policy or "")
    record = next(r.record for r in apps.house.store.audit.search(Search(kind="token.exchanged", limit=2)))
    assert (record.source, record.subject) == ("guest", other.identity_id)
    assert json.loads(record.detail)["kind"] == "guest"


def test_a_guest_goes_on_by_refreshing_until_the_session_is_over(apps: Apps) -> None:
    given = apps.guest()
    tokens = apps.tokens(given)
    assert tokens.session_ends_at == apps.house.clock.at + 12 * HOUR
    apps.house.clock.at += 11 * HOUR
    later = apps.helper().refresh(tokens.refresh_token)
    assert said(later)["sid"] == said(tokens)["sid"] and later.identity_id == given.identity_id
    assert later.expires_in == HOUR
    apps.house.clock.at += HOUR
    with pytest.raises(GrantInvalid):
        apps.helper().refresh(later.refresh_token)


def test_a_client_without_refreshing_gets_one_access_token_for_a_guest(apps: Apps) -> None:
    apps.house.edit(PHOTO, "grants: [exchange, refresh]", "grants: [exchange]")
    apps.house.apply()
    tokens = apps.tokens(apps.guest())
    assert tokens.refresh_token is None and tokens.session_ends_at == apps.house.clock.at + HOUR


def test_a_guest_may_have_credentials_in_one_step(apps: Apps) -> None:
    given = apps.guest(AWS)
    assert given.credentials and given.role == UPLOADS and "(statement 1) allows it" in given.reason
    assert FakeAws.asked[-1].source_identity == f"app-{given.identity_id}"
    assert apps.rows("sessions") == 0


def test_guests_are_let_in_only_where_the_app_has_them_and_policy_gives_them_something(apps: Apps) -> None:
    house = apps.house
    house.edit("accounts.yaml", ", app/photo-app/guests]", "]")
    house.apply()
    with pytest.raises(NoRoleForApp):
        apps.guest(AWS)
    assert apps.exchange(apps.token(), AWS) and apps.guest()
    before = apps.guest()
    house.edit(PHOTO, "guests: true", "guests: false")
    house.apply()
    with pytest.raises(ClientNotAllowed):
        apps.guest()
    assert not alive(apps, before)
    assert apps.exchange(apps.token())


def test_without_a_record_there_is_no_guest(apps: Apps, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise AuditUnavailable

    monkeypatch.setattr(AuditWriter, "record", full)
    for ask in (TOKENS, AWS):
        with pytest.raises(AuditUnavailable):
            apps.guest(ask)
    assert apps.rows("sessions") == 0 and FakeAws.asked == []


def test_one_address_makes_a_bounded_number_of_guests_and_keeps_nobody_else_out(
    apps: Apps, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (limits.GUESTS_PER_MINUTE, limits.GUESTS_PER_DAY) == (300, 2_000)
    monkeypatch.setattr("app.broker.exchanging.GUESTS_PER_MINUTE", 5)
    monkeypatch.setattr("app.broker.exchanging.GUESTS_PER_DAY", 12)
    made = 0
    for _ in range(10):
        for _ in range(7):
            try:
                apps.guest()
                made += 1
            except TooMany:
                pass
        apps.house.clock.at += timedelta(minutes=1)
    assert made == 12 == apps.rows("pool_identities")
    with pytest.raises(TooMany) as caught:
        apps.guest()
    assert "today" in caught.value.words
    assert apps.guest(caller=ELSEWHERE), "others' guests come in"
    assert apps.exchange(apps.token()), "and people of that address sign in"
    apps.house.clock.at += timedelta(days=1)
    assert apps.guest()


# --- a guest signs in ---------------------------------------------------------------------------------------


def test_a_guest_who_signs_in_keeps_the_identity_and_the_guests_tokens_end(apps: Apps) -> None:
    guest, other = apps.guest(), apps.guest()
    given = apps.exchange(apps.token(), with_guest(guest, apps))
    assert given.identity_id == guest.identity_id
    session = apps.helper().bearer(apps.tokens(given))
    assert (session.identity.source, session.identity.groups) == (SOCIAL, ("app/photo-app",))
    assert not alive(apps, guest) and alive(apps, other)
    with pytest.raises(GrantInvalid):
        apps.helper().refresh(apps.tokens(guest).refresh_token)
    assert apps.exchange(apps.token()).identity_id == guest.identity_id, "for ever"
    records = [found.record for found in apps.house.store.audit.search(Search(kind="identity.claimed"))]
    (record,) = records
    assert record.subject == "robin-id" and json.loads(record.detail)["identity_id"] == guest.identity_id


def test_credentials_and_the_claim_come_in_one_step(apps: Apps) -> None:
    guest = apps.guest()
    given = apps.exchange(apps.token(), replace(AWS, guest_token=apps.tokens(guest).access_token))
    assert given.credentials and given.identity_id == guest.identity_id
    assert f"app-uploads/{guest.identity_id}/*" in (FakeAws.asked[-1].policy or "")
    assert not alive(apps, guest)


def test_somebody_who_has_an_identity_does_not_take_over_a_guests(apps: Apps) -> None:
    mine, guest = apps.exchange(apps.token()), apps.guest()
    with pytest.raises(LoginTaken) as caught:
        apps.exchange(apps.token(), with_guest(guest, apps))
    assert "stays the guest's" in caught.value.words
    assert alive(apps, guest) and apps.exchange(apps.token()).identity_id == mine.identity_id
    assert apps.house.last()[0] == "token.exchanged"
    assert "identity.claimed" not in apps.house.kinds() and "exchange.refused" in apps.house.kinds()


@pytest.mark.parametrize(
    "whose", ["nobody's", "a person's", "another app's", "a claimed guest's", "a late guest's"]
)
def test_only_a_living_guest_of_the_same_app_is_claimed(apps: Apps, whose: str) -> None:
    guest = apps.guest()
    token = apps.tokens(guest).access_token
    if whose == "nobody's":
        token = "guessed"
    elif whose == "a person's":
        token = apps.tokens(apps.exchange(apps.token("wren"))).access_token
    elif whose == "another app's":
        apps.house.write("clients/notes.yaml", NOTES + "pool: photo\nguests: true\n")
        apps.house.apply()
        token = apps.tokens(
            apps.house.broker.begin_guest(ClientProof("notes"), TOKENS, caller=CALLER)
        ).access_token
    elif whose == "a claimed guest's":
        assert apps.exchange(apps.token("wren"), with_guest(guest, apps))
    else:
        apps.house.clock.at += HOUR
    subject = apps.token()
    with pytest.raises(GrantInvalid):
        apps.exchange(subject, replace(TOKENS, guest_token=token))
    assert apps.chirps[SOCIAL].seen[-1:] != [subject.text], "the person's token is not even looked at"
    fresh = apps.guest()
    assert apps.exchange(subject, with_guest(fresh, apps)).identity_id == fresh.identity_id


def test_a_guest_is_claimed_by_one_of_many(apps: Apps) -> None:
    guest = apps.guest()
    wish = with_guest(guest, apps)
    subjects = [apps.token(f"p{number}") for number in range(6)]

    def claim(subject: SubjectProof) -> str:
        try:
            return apps.exchange(subject, wish).identity_id  # type: ignore[arg-type]
        except GrantInvalid:
            return ""

    with ThreadPoolExecutor(6) as pool:
        got = list(pool.map(claim, subjects))
    assert sorted(got) == [""] * 5 + [guest.identity_id]


def test_no_claim_counts_that_is_not_on_record_and_no_role_leaves_the_guest_alone(
    apps: Apps, monkeypatch: pytest.MonkeyPatch
) -> None:
    guest = apps.guest()

    def full(*_: object) -> None:
        raise AuditUnavailable

    with monkeypatch.context() as patched:
        patched.setattr(AuditWriter, "record", full)
        with pytest.raises(AuditUnavailable):
            apps.exchange(apps.token(), with_guest(guest, apps))
    assert alive(apps, guest)
    apps.house.edit(
        "accounts.yaml", "allow: [app/photo-app, app/photo-app/guests]", "allow: [app/photo-app/guests]"
    )
    apps.house.apply()
    with pytest.raises(NoRoleForApp):
        apps.exchange(apps.token(), replace(AWS, guest_token=apps.tokens(guest).access_token))
    assert alive(apps, guest)


@pytest.mark.parametrize(("outcome", "expected"), [(Claimed.TAKEN, LoginTaken), (Claimed.GONE, GrantInvalid)])
def test_a_claim_that_somebody_else_was_faster_at_gives_nothing(
    apps: Apps, monkeypatch: pytest.MonkeyPatch, outcome: Claimed, expected: type[Refusal]
) -> None:
    guest, sessions = apps.guest(), apps.rows("sessions")
    monkeypatch.setattr(Identities, "claim", lambda *_: outcome)
    with pytest.raises(expected):
        apps.exchange(apps.token(), with_guest(guest, apps))
    assert apps.rows("sessions") == sessions and apps.house.kinds()[-1] == "exchange.refused"


# --- linking ------------------------------------------------------------------------------------------------


def test_a_second_login_leads_to_the_same_identity_by_proof_of_both(two: Apps) -> None:
    mine = two.exchange(two.token())
    linked = link(two, two.token(), two.token("r", source=TWEET))
    assert (linked.id, linked.logins) == (mine.identity_id, ((SOCIAL, "robin-id"), (TWEET, "r-id")))
    assert two.exchange(two.token("r", source=TWEET)).identity_id == mine.identity_id
    kind, detail = next(
        (str(r.record.kind), json.loads(r.record.detail))
        for r in two.house.store.audit.search(Search(kind="identity.linked"))
    )
    assert (kind, detail["linked_subject"], detail["identity_id"]) == (
        "identity.linked",
        "r-id",
        mine.identity_id,
    )
    again = link(two, two.token("r", source=TWEET), two.token())
    assert again == linked, "either way round"
    assert len(two.house.store.audit.search(Search(kind="identity.linked"))) == 1


def test_two_logins_that_are_new_make_one_identity_and_one_with_itself_makes_no_second(two: Apps) -> None:
    linked = link(two, two.token(), two.token("r", source=TWEET))
    assert len(linked.logins) == 2 and two.rows("pool_identities") == 1
    alone = link(two, two.token("wren"), two.token("wren"))
    assert alone.logins == ((SOCIAL, "wren-id"),)


def test_somebody_elses_login_is_not_linked_though_the_address_is_the_same(two: Apps) -> None:
    victim = two.exchange(two.token("robin", source=TWEET))
    for mine in ("robin", "thief"):
        with pytest.raises(LoginTaken):
            link(two, two.token(mine), two.token("robin", source=TWEET))
        assert two.house.last()[0] == "exchange.refused"
        assert two.house.store.identities.find("photo", SOCIAL, f"{mine}-id") is None, "nothing was changed"
    assert two.exchange(two.token("robin", source=TWEET)).identity_id == victim.identity_id
    assert two.exchange(two.token("robin")).identity_id != victim.identity_id, "never merged by an address"


def test_whoever_shows_a_token_that_is_not_believed_beside_their_own_is_on_record(two: Apps) -> None:
    mine = two.exchange(two.token())
    foreign = replace(two.token("victim", source=TWEET), text="forged")
    with pytest.raises(SubjectTokenRefused):
        link(two, two.token(), foreign)
    assert two.house.last()[0] == "exchange.refused"
    (found, *_) = two.house.store.audit.search(Search(kind="exchange.refused", limit=1))
    assert (found.record.subject, json.loads(found.record.detail)["code"]) == ("robin-id", "exchange.token")
    with pytest.raises(SubjectTokenAudience):
        link(two, two.token(), two.token("victim", source=TWEET, audience="other-app"))
    assert len(two.house.store.audit.search(Search(kind="exchange.refused"))) == 2
    # The honest twin, and somebody whom nobody knows yet, who is only counted.
    assert link(two, two.token(), two.token("r", source=TWEET)).id == mine.identity_id
    with pytest.raises(SubjectTokenRefused):
        link(two, replace(two.token(), text="forged"), two.token("r", source=TWEET))
    assert len(two.house.store.audit.search(Search(kind="exchange.refused"))) == 2


def test_a_login_that_is_taken_away_meanwhile_adds_no_other(
    two: Apps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else's login was linked once. As the owner takes that source's away, a second of it is added by it."""
    owner = two.exchange(two.token())
    assert link(two, two.token(), two.token("thief", source=TWEET)).id == owner.identity_id
    honest, second = Identities.link, two.token("thief2", source=TWEET)

    def late(self: Identities, *args: object, **how: object) -> bool:
        unlink(two, two.token(), TWEET)
        return honest(self, *args, **how)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(Identities, "link", late)
        with pytest.raises(LoginTaken):
            link(two, two.token("thief", source=TWEET), second)
    assert two.house.last()[0] == "exchange.refused"
    assert two.house.store.identities.logins(owner.identity_id) == [(SOCIAL, "robin-id")]
    assert two.exchange(second).identity_id != owner.identity_id
    assert link(two, two.token(), two.token("r", source=TWEET)).id == owner.identity_id


def test_both_tokens_are_believed_and_belong_to_the_app(two: Apps) -> None:
    two.house.write("clients/notes.yaml", NOTES)
    two.house.apply()
    mine, stolen = two.token(), two.token("victim")
    assert two.exchange(stolen, app=ClientProof("notes"))
    for one, other, expected in (
        (mine, SubjectProof("access_token", "guessed", "tweet"), SubjectTokenRefused),
        (SubjectProof("access_token", "guessed", "tweet"), mine, SubjectTokenRefused),
        (mine, two.token("r", source=TWEET, audience="games-app"), SubjectTokenAudience),
        (mine, stolen, SubjectTokenRefused),
        (stolen, mine, SubjectTokenRefused),
    ):
        with pytest.raises(expected):
            link(two, one, other)
    assert "identity.linked" not in two.house.kinds()
    with pytest.raises(ClientNotAllowed):
        link(two, mine, two.token("r", source=TWEET), ClientProof("cli"))
    assert link(two, mine, two.token("r", source=TWEET))


def test_one_token_is_not_two_proofs_where_each_is_good_once(two: Apps) -> None:
    two.house.write(PHOTO, (two.house.config / PHOTO).read_text() + "subject_tokens: once\n")
    two.house.apply()
    same = two.token()
    with pytest.raises(SubjectTokenRefused):
        link(two, same, same)
    assert link(two, two.token(), two.token("r", source=TWEET))


def test_a_link_that_is_there_already_is_told_of_once_it_is_durable(
    two: Apps, monkeypatch: pytest.MonkeyPatch
) -> None:
    link(two, two.token(), two.token("r", source=TWEET))

    def full(_: object) -> None:
        raise StoreUnavailable

    # Who reads it may be faster than the request that makes it, which has not waited for the disk yet.
    monkeypatch.setattr(Lines, "settle", full)
    with pytest.raises(StoreUnavailable):
        link(two, two.token(), two.token("r", source=TWEET))


def test_no_link_counts_that_is_not_on_record(two: Apps, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise AuditUnavailable

    with monkeypatch.context() as patched:
        patched.setattr(AuditWriter, "record", full)
        with pytest.raises(AuditUnavailable):
            link(two, two.token(), two.token("r", source=TWEET))
    assert two.house.store.identities.find("photo", TWEET, "r-id") is None
    link(two, two.token(), two.token("r", source=TWEET))
    with monkeypatch.context() as patched:
        patched.setattr(AuditWriter, "record", full)
        with pytest.raises(AuditUnavailable):
            unlink(two, two.token(), "tweet")
    assert two.house.store.identities.find("photo", TWEET, "r-id")


# --- taking a login away ------------------------------------------------------------------------------------


def test_a_login_is_taken_away_with_what_came_of_it(two: Apps) -> None:
    link(two, two.token(), two.token("r", source=TWEET))
    kept, gone = two.exchange(two.token()), two.exchange(two.token("r", source=TWEET))
    left = unlink(two, two.token(), "tweet")
    assert (left.id, left.logins) == (kept.identity_id, ((SOCIAL, "robin-id"),))
    assert alive(two, kept) and not alive(two, gone)
    kind, detail = two.house.last()
    assert (kind, detail["unlinked_source"], detail["unlinked_subjects"]) == (
        "identity.unlinked",
        "tweet",
        ["r-id"],
    )
    assert two.exchange(two.token("r", source=TWEET)).identity_id != kept.identity_id, (
        "a stranger from here on"
    )


def test_the_last_login_stays_and_only_ones_own_is_taken_away(two: Apps) -> None:
    with pytest.raises(LoginNeeded):
        unlink(two, two.token(), "social")  # has no identity yet
    assert two.rows("pool_identities") == 0
    link(two, two.token(), two.token("r", source=TWEET))
    two.exchange(two.token("thief"))
    for subject, source in (
        (two.token("thief"), "social"),
        (two.token("thief"), "tweet"),
        (two.token(), "nobody"),
        (two.token(), ""),
    ):
        with pytest.raises(LoginNeeded):
            unlink(two, subject, source)
    with pytest.raises(SubjectTokenRefused):
        unlink(two, SubjectProof("access_token", "guessed", "tweet"), "tweet")
    assert unlink(two, two.token(), "social").logins == ((TWEET, "r-id"),), "also the one that proves it"
    with pytest.raises(LoginNeeded):
        unlink(two, two.token("r", source=TWEET), "tweet")


# --- native sign-in -----------------------------------------------------------------------------------------


def test_somebody_who_signs_in_through_daypass_has_the_same_identity(apps: Apps) -> None:
    house = apps.house
    house.edit(
        PHOTO,
        "grants: [exchange, refresh]",
        "grants: [exchange, refresh, code]\nredirect_uris: ['http://127.0.0.1/callback']",
    )
    house.edit(
        PHOTO, "accepts: {social: [acme-app]}", "accepts: {corp: ['urn:acme:app'], social: [acme-app]}"
    )
    house.apply()
    _, ana = house.browser()
    ask = GrantAsk("photo-app", LOOPBACK, (), CHALLENGE, "S256")
    tokens = Helper(house, APP).sign_in(ana, ask)
    assert tokens.identity_id == house.store.identities.find("photo", SourceId("corp"), "ana-1")
    session = Helper(house, APP).bearer(tokens)
    assert session.pool_identity == tokens.identity_id and session.approved_by == ana.id
    assert Helper(house).sign_in(ana).identity_id == "", "the helper has no pool"


def test_a_sign_in_through_daypass_whose_login_is_taken_away_as_it_ends_gives_nothing(
    apps: Apps, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = apps.house
    grants = "grants: [exchange, refresh, code]\nredirect_uris: ['http://127.0.0.1/callback']"
    house.edit(PHOTO, "grants: [exchange, refresh]", grants)
    house.apply()
    identities, now = house.store.identities, house.clock.at
    robin = apps.exchange(apps.token()).identity_id
    assert identities.link("photo", robin, SourceId("corp"), "ana-1", now)
    _, ana = house.browser()
    ask = GrantAsk("photo-app", LOOPBACK, (), CHALLENGE, "S256")
    honest, sessions = RefreshTokens.begin, apps.rows("sessions")

    def late(self: RefreshTokens, *args: object, **how: object) -> bool:
        assert identities.unlink("photo", robin, SourceId("corp"), now)
        return honest(self, *args, **how)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(RefreshTokens, "begin", late)
        with pytest.raises(GrantInvalid):
            Helper(house, APP).sign_in(ana, ask)
    assert apps.rows("sessions") == sessions
    tokens = Helper(house, APP).sign_in(ana, ask)
    assert tokens.identity_id and tokens.identity_id != robin
