"""Token exchange: what an app brings becomes a token of ours or AWS credentials, and everything else is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from app.audit import AuditWriter
from app.errors import (
    AskRefused,
    AuditUnavailable,
    ClientNotAllowed,
    ClientRefused,
    DurationInvalid,
    ExchangeNotAllowed,
    GrantInvalid,
    ProviderFailed,
    RoleUnknown,
    ScopeInvalid,
    ScopeTooNarrow,
    SignInNotAllowed,
    SubjectTokenAudience,
    SubjectTokenExpired,
    SubjectTokenKind,
    SubjectTokenRefused,
    TargetInvalid,
    TokenInvalid,
    TooMany,
)
from app.limits import (
    EXCHANGE_REFUSALS_PER_MINUTE,
    EXCHANGES_PER_ADDRESS,
    EXCHANGES_PER_CLIENT,
    EXCHANGES_PER_IDENTITY,
    REFUSALS_PER_MINUTE,
    Tally,
)
from app.model import ClientProof, RoleAsk, SubjectProof
from app.signin.seam import OnceOnly
from app.store.refresh_tokens import RefreshTokens
from tests.exchanging import APP, AWS, HOUR, NOTES, PHOTO, SOCIAL, TOKENS, UPLOADS, Apps, apps_in, refused
from tests.helper import CLI, bot, said
from tests.house import CALLER, READ_ONLY, FakeAws

ELSEWHERE = replace(CALLER, address="198.51.100.9")
SECOND = timedelta(seconds=1)


@pytest.fixture
def apps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Apps]:
    with apps_in(tmp_path, monkeypatch) as made:
        yield made


def nothing_given(apps: Apps) -> bool:
    """Nobody was let in, and AWS was not asked."""
    return apps.rows("sessions") == 0 and FakeAws.asked == []


# --- a token of ours ----------------------------------------------------------------------------------------


def test_a_persons_token_becomes_one_of_ours_for_the_same_person_each_time(apps: Apps) -> None:
    given = apps.exchange(apps.token())
    tokens = apps.tokens(given)
    session = apps.helper().bearer(tokens, "credentials")
    assert (session.identity.source, session.identity.subject) == (SOCIAL, "robin-id")
    assert (session.client, session.approved_by, session.pool_identity) == (
        "photo-app",
        None,
        given.identity_id,
    )
    assert session.identity.groups == ("app/photo-app",)
    assert tokens.refresh_token is None and tokens.identity_id == given.identity_id
    assert said(tokens)["client_id"] == "photo-app"
    assert apps.house.broker.credentials(session, RoleAsk(UPLOADS), caller=CALLER)
    assert FakeAws.asked[-1].source_identity == f"app-{given.identity_id}"
    again = apps.exchange(apps.token())
    assert again.identity_id == given.identity_id
    assert apps.exchange(apps.token("wren")).identity_id != given.identity_id


def test_whom_a_policy_denies_the_sign_in_no_app_brings(apps: Apps) -> None:
    said = [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {
            "Effect": "Deny",
            "Action": "daypass:SignIn",
            "Resource": "arn:aws:daypass:::person/social/robin-id",
        },
    ]
    (apps.house.config / "guardrails" / "all").mkdir(parents=True)
    apps.house.write("guardrails/all/in.json", json.dumps({"Version": "2012-10-17", "Statement": said}))
    apps.house.apply()
    with pytest.raises(SignInNotAllowed):
        apps.exchange(apps.token())
    assert nothing_given(apps)
    kind, detail = apps.house.last()
    assert (kind, detail["code"]) == ("exchange.refused", "signin.not_allowed")
    assert apps.exchange(apps.token("wren"))


def test_it_is_on_record_before_it_counts(apps: Apps, monkeypatch: pytest.MonkeyPatch) -> None:
    given = apps.exchange(apps.token())
    kind, detail = apps.house.last()
    assert kind == "token.exchanged"
    assert (detail["client"], detail["identity_id"], detail["audience"], detail["kind"], detail["scope"]) == (
        "photo-app",
        given.identity_id,
        "acme-app",
        "access_token",
        ["roles", "credentials"],
    )

    def full(*_: object) -> None:
        raise AuditUnavailable

    sessions = apps.rows("sessions")
    monkeypatch.setattr(AuditWriter, "record", full)
    for ask in (TOKENS, AWS):
        with pytest.raises(AuditUnavailable):
            apps.exchange(apps.token("wren"), ask)
    assert apps.rows("sessions") == sessions and FakeAws.asked == []


@pytest.mark.parametrize(
    ("life", "lives"), [(2 * HOUR, HOUR), (20 * SECOND, 20 * SECOND), (None, HOUR), (HOUR, HOUR)]
)
def test_nothing_lives_longer_than_what_it_was_given_for(
    apps: Apps, life: timedelta | None, lives: timedelta
) -> None:
    tokens = apps.tokens(apps.exchange(apps.token(life=life)))
    assert tokens.expires_in == lives
    apps.house.clock.at += lives - SECOND
    assert apps.helper().bearer(tokens)
    apps.house.clock.at += SECOND
    with pytest.raises(TokenInvalid):
        apps.helper().bearer(tokens)


def test_what_the_source_says_of_the_sessions_end_counts_as_well(apps: Apps) -> None:
    ends = apps.house.clock.at + 10 * SECOND
    assert apps.tokens(apps.exchange(apps.token(ends_at=ends))).expires_in == 10 * SECOND


def test_a_token_that_ends_within_this_second_gives_nothing(apps: Apps) -> None:
    for ask in (TOKENS, AWS):
        with pytest.raises(SubjectTokenExpired):
            apps.exchange(apps.token(life=SECOND / 2), ask)
    assert nothing_given(apps)
    assert apps.exchange(apps.token(life=SECOND))


def test_an_ended_session_and_a_client_that_may_no_longer_bring_them_end_the_token(apps: Apps) -> None:
    first, second = (apps.tokens(apps.exchange(apps.token())) for _ in range(2))
    apps.house.broker.revoke(APP, first.access_token, caller=CALLER)
    with pytest.raises(TokenInvalid):
        apps.helper().bearer(first)
    assert apps.helper().bearer(second)
    apps.house.edit(PHOTO, "accepts: {social: [acme-app]}", "accepts: {corp: [acme-app]}")
    apps.house.apply()
    with pytest.raises(TokenInvalid):
        apps.helper().bearer(second)


# --- abuse, each beside its honest twin ---------------------------------------------------------------------


def test_a_token_of_another_app_is_refused(apps: Apps) -> None:
    refused(apps, SubjectTokenAudience, apps.token(audience="games-app"))
    assert apps.exchange(apps.token())


def test_an_expired_token_is_refused(apps: Apps) -> None:
    subject = apps.token(life=HOUR)
    assert apps.exchange(subject)
    apps.house.clock.at += HOUR
    refused(apps, SubjectTokenExpired, subject)


def test_a_token_of_a_source_that_the_client_does_not_accept_is_refused(apps: Apps) -> None:
    subject = apps.token()
    for source in ("corp", "partner", "nobody", "guest", "app", "Social", "social " * 4000):
        refused(apps, ExchangeNotAllowed, replace(subject, source=source))
    assert apps.exchange(replace(subject, source="social"))
    assert apps.chirps[SOCIAL].seen == [subject.text], "nobody but its own source has seen the token"


@pytest.mark.parametrize("kind", ["id_token", "saml2"])
def test_a_kind_of_token_that_no_accepted_source_takes_is_refused(apps: Apps, kind: str) -> None:
    subject = replace(apps.token(), kind=kind)
    refused(apps, ExchangeNotAllowed, subject)
    refused(apps, SubjectTokenKind, replace(subject, source="social"))
    assert apps.chirps[SOCIAL].seen == []
    assert apps.exchange(replace(subject, kind="access_token"))


def test_an_access_token_of_ours_is_refused_and_shown_to_no_provider(apps: Apps) -> None:
    ours = apps.tokens(apps.exchange(apps.token())).access_token
    seen = len(apps.chirps[SOCIAL].seen)
    for source in ("", "social"):
        told = refused(apps, SubjectTokenKind, SubjectProof("access_token", ours, source))
        assert "this service" in told.words
    _, ana = apps.house.browser()
    helpers = apps.helper(CLI).sign_in(ana).access_token
    refused(apps, SubjectTokenKind, SubjectProof("access_token", helpers))
    assert len(apps.chirps[SOCIAL].seen) == seen


def test_a_token_belongs_to_the_client_that_brought_it_first(apps: Apps) -> None:
    apps.house.write("clients/notes.yaml", NOTES)
    apps.house.apply()
    notes, subject = ClientProof("notes"), apps.token()
    assert apps.exchange(subject) and apps.exchange(subject), "the same client may bring it again"
    with pytest.raises(SubjectTokenRefused) as caught:
        apps.exchange(subject, app=notes)
    assert "another app" in caught.value.words
    kind, detail = apps.house.last()
    assert (kind, detail["client"], detail["code"]) == ("exchange.refused", "notes", "exchange.token")
    own = apps.exchange(apps.token(), app=notes)
    assert own.identity_id != apps.exchange(subject).identity_id, "another pool, another identity"


def test_apps_of_one_pool_know_a_person_by_one_identity(apps: Apps) -> None:
    apps.house.write("clients/notes.yaml", NOTES + "pool: photo\n")
    apps.house.apply()
    one, other = apps.exchange(apps.token()), apps.exchange(apps.token(), app=ClientProof("notes"))
    assert one.identity_id == other.identity_id


def test_a_token_that_many_bring_at_once_is_taken_from_one_client(apps: Apps) -> None:
    apps.house.write("clients/notes.yaml", NOTES)
    apps.house.apply()
    assert apps.house.broker.client_name("notes") == "Notes", "all threads have the new revision"
    subject = apps.token()

    def bring(number: int) -> str:
        try:
            apps.exchange(subject, app=(APP, ClientProof("notes"))[number % 2])
        except SubjectTokenRefused:
            return ""
        return (APP.id, "notes")[number % 2]

    with ThreadPoolExecutor(6) as pool:
        takers = list(pool.map(bring, range(12)))
    assert len({*takers} - {""}) == 1 and takers.count("") == 6


def test_a_client_may_want_each_token_once_only(apps: Apps) -> None:
    house = apps.house
    house.write(PHOTO, (house.config / PHOTO).read_text() + "subject_tokens: once\n")
    house.apply()
    subject = apps.token()
    assert apps.exchange(subject)
    told = refused(apps, SubjectTokenRefused, subject)
    assert "single time" in told.words
    assert apps.exchange(apps.token())


@pytest.mark.parametrize("days", [2, 40, 360])
def test_a_token_without_an_end_stays_its_clients_and_used_for_as_long_as_it_may_live(
    apps: Apps, days: int
) -> None:
    house = apps.house
    house.write("clients/notes.yaml", NOTES + "subject_tokens: once\n")
    house.apply()
    notes = ClientProof("notes")
    mine, theirs = apps.token(life=None), apps.token(life=None)
    assert apps.exchange(mine) and apps.exchange(theirs, app=notes)
    house.clock.at += timedelta(days=days)
    house.store.once.expire(house.clock.at)
    for subject in (mine, theirs):
        with pytest.raises(SubjectTokenRefused):
            apps.exchange(subject, app=notes)
    assert apps.exchange(mine) and apps.exchange(apps.token(life=None), app=notes)


def test_what_the_source_wants_once_only_is_taken_once(apps: Apps) -> None:
    mark = OnceOnly("saml", "assertion-1", apps.house.clock.at + HOUR)
    assert apps.exchange(apps.token(once=(mark,)))
    refused(apps, SubjectTokenRefused, apps.token(once=(mark,)))


def test_what_could_not_be_given_anyway_uses_no_token_up(apps: Apps) -> None:
    house = apps.house
    house.edit(PHOTO, "credentials: 1h", "credentials: 20m\nsubject_tokens: once")
    house.apply()
    subject = apps.token()
    for wish, expected in (
        (replace(TOKENS, scope=("admin",)), ScopeInvalid),
        (replace(TOKENS, resource="https://elsewhere.test"), TargetInvalid),
        (replace(AWS, scope=("roles",)), ScopeInvalid),
        (replace(AWS, role=READ_ONLY), RoleUnknown),
        (replace(AWS, role="nonsense"), RoleUnknown),
        (replace(AWS, duration=timedelta(seconds=1201)), DurationInvalid),
        (replace(AWS, duration=timedelta(hours=2)), DurationInvalid),
        (replace(AWS, duration=timedelta(seconds=60)), DurationInvalid),
    ):
        with pytest.raises(expected):
            apps.exchange(subject, wish)
    assert apps.chirps[SOCIAL].seen == [] and nothing_given(apps)
    given = apps.exchange(subject, replace(AWS, role=UPLOADS, duration=timedelta(seconds=1200)))
    assert given.credentials is not None and FakeAws.asked[-1].duration == timedelta(seconds=1200)


def test_scope_is_never_wider_than_asked_or_than_the_clients(apps: Apps) -> None:
    narrow = apps.tokens(apps.exchange(apps.token(), replace(TOKENS, scope=("roles",))))
    assert narrow.scope == ("roles",)
    with pytest.raises(ScopeTooNarrow):
        apps.helper().bearer(narrow, "credentials")
    house = apps.house
    house.write(PHOTO, (house.config / PHOTO).read_text() + "scopes: [roles]\n")
    house.apply()
    assert apps.tokens(apps.exchange(apps.token())).scope == ("roles",)
    for wish in (AWS, replace(TOKENS, scope=("credentials",))):
        with pytest.raises(ScopeInvalid):
            apps.exchange(apps.token(), wish)


def test_only_a_client_that_may_brings_anybody(apps: Apps) -> None:
    for proof, expected in (
        (CLI, ClientNotAllowed),
        (ClientProof("nobody"), ClientRefused),
        (replace(APP, secret="guessed"), ClientRefused),
        (bot(apps.house).proof, ClientNotAllowed),
    ):
        with pytest.raises(expected):
            apps.exchange(apps.token(), app=proof)
        with pytest.raises(expected):
            apps.house.broker.begin_guest(proof, TOKENS, caller=CALLER)
    assert apps.chirps[SOCIAL].seen == []


def test_which_source_is_meant_is_said_where_it_cannot_be_seen(apps: Apps) -> None:
    house = apps.house
    social = (house.config / "providers/social.yaml").read_text()
    house.write("providers/tweet.yaml", social.replace("label: Acme app sign-in", "label: Tweet"))
    house.edit(PHOTO, "accepts: {social: [acme-app]}", "accepts: {social: [acme-app], tweet: [acme-app]}")
    house.apply()
    subject = apps.token()
    with pytest.raises(ExchangeNotAllowed) as caught:
        apps.exchange(replace(subject, source=""))
    assert "`social`, `tweet`" in caught.value.words and "subject_issuer" in caught.value.words
    assert apps.chirps[SOCIAL].seen == []
    assert apps.exchange(replace(subject, source="social"))
    with pytest.raises(SubjectTokenRefused):
        apps.exchange(replace(subject, source="tweet"))


# --- providers that do not answer ---------------------------------------------------------------------------


@pytest.mark.parametrize("failure", [ProviderFailed("slow"), ProviderFailed("lies")])
def test_a_provider_that_fails_is_said_to_and_nothing_is_given(apps: Apps, failure: ProviderFailed) -> None:
    subject, records = apps.token(), len(apps.house.kinds())
    apps.chirps[SOCIAL].raises = failure
    refused(apps, ProviderFailed, subject)
    assert len(apps.house.kinds()) == records and apps.rows("pool_identities") == 0
    for _ in range(REFUSALS_PER_MINUTE):
        with pytest.raises(ProviderFailed) as told:
            apps.exchange(subject)
    assert "directory" not in told.value.words and "checked" in told.value.words, (
        "said to an app, not a person"
    )
    apps.chirps[SOCIAL].raises = None
    assert apps.exchange(subject), "a provider's failures keep nobody out"


# --- floods -------------------------------------------------------------------------------------------------


def test_bad_tokens_shut_an_address_out_for_a_minute_and_nobody_else(apps: Apps) -> None:
    bad = SubjectProof("access_token", "guessed")
    guest = apps.tokens(apps.guest())
    for _ in range(EXCHANGE_REFUSALS_PER_MINUTE):
        with pytest.raises(SubjectTokenRefused):
            apps.exchange(bad)
    honest = apps.token()
    with pytest.raises(TooMany):
        apps.exchange(honest)
    assert apps.helper().refresh(guest.refresh_token), "nor who has tokens of ours there"
    assert apps.exchange(honest, caller=ELSEWHERE)
    apps.house.clock.at += timedelta(minutes=1)
    assert apps.exchange(honest)


def test_a_crowd_behind_one_address_gets_through_also_when_their_tokens_are_old(apps: Apps) -> None:
    old = [apps.token(f"p{number}", life=HOUR) for number in range(2)]
    apps.house.clock.at += HOUR
    for _ in range(REFUSALS_PER_MINUTE):
        for each in old:
            with pytest.raises(SubjectTokenExpired):
                apps.exchange(each)
    assert apps.exchange(apps.token("new"))


def test_a_crowd_behind_one_address_gets_through_also_where_a_tenth_is_refused(apps: Apps) -> None:
    """Of a mobile network's 3,000 a minute: a provider that does not say that a token is old."""
    old, fresh = SubjectProof("access_token", "signed out"), apps.token()
    for _ in range(EXCHANGES_PER_ADDRESS // 10):
        with pytest.raises(SubjectTokenRefused):
            apps.exchange(old)
    assert apps.exchange(fresh)


def test_bad_tokens_of_ours_keep_no_app_from_bringing_its_peoples(apps: Apps) -> None:
    for _ in range(REFUSALS_PER_MINUTE):
        with pytest.raises(GrantInvalid):
            apps.helper().refresh("guessed")
    with pytest.raises(TooMany):
        apps.helper().refresh("guessed")
    assert apps.exchange(apps.token())


def test_an_address_a_person_and_an_app_have_their_limits(
    apps: Apps, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject, counted = apps.token(), []
    for name in ("admit", "admit_one"):
        honest = getattr(Tally, name)

        def admit(self: Tally, who: str, what: str, most: int, now: object, honest: object = honest) -> None:
            counted.append((what, most))
            honest(self, who, what, most, now)  # type: ignore[operator]

        monkeypatch.setattr(Tally, name, admit)
    apps.exchange(subject)
    assert counted == [
        ("tokens brought", EXCHANGES_PER_ADDRESS),
        ("tokens brought of this person", EXCHANGES_PER_IDENTITY),
        ("tokens brought by this app", EXCHANGES_PER_CLIENT),
    ]
    for _ in range(EXCHANGES_PER_IDENTITY - 1):
        apps.exchange(subject)
    with pytest.raises(TooMany) as caught:
        apps.exchange(subject)
    assert "of this person" in caught.value.words and caught.value.retry_after == 60
    assert apps.exchange(apps.token("wren")), "others of that app and address go on"


def test_neither_one_person_nor_guests_use_up_what_an_app_may_bring(
    apps: Apps, monkeypatch: pytest.MonkeyPatch
) -> None:
    everywhere = [replace(CALLER, address=f"203.0.113.{number}") for number in range(30)]
    monkeypatch.setattr("app.broker.presenting.EXCHANGES_PER_CLIENT", 5)
    monkeypatch.setattr("app.broker.exchanging.EXCHANGES_PER_CLIENT", 5)
    monkeypatch.setattr("app.broker.presenting.EXCHANGES_PER_IDENTITY", 2)
    mallory, came = apps.token("mallory"), []
    for caller in everywhere:
        with suppress(TooMany):
            came.append(apps.exchange(mallory, caller=caller).identity_id)
        with suppress(TooMany):
            came.append(apps.guest(caller=caller).identity_id)
    assert len(came) == 2 + 5
    for name in ("robin", "sasha", "wren"):
        assert apps.exchange(apps.token(name))
    with pytest.raises(TooMany) as caught:
        apps.exchange(apps.token("jay"))
    assert "by this app" in caught.value.words


def test_a_guest_with_one_token_asks_no_more_often_than_an_app_may_bring_a_token(
    apps: Apps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Strangers are guests: each call would be records, a row or a call to AWS."""
    broker, wish = apps.house.broker, RoleAsk(UPLOADS)
    refusal = AskRefused("not an ARN")
    helper, given = apps.helper(), apps.tokens(apps.guest())
    session, refresh = helper.bearer(given, "credentials"), given.refresh_token
    for _ in range(EXCHANGES_PER_IDENTITY // 3):
        assert broker.credentials(session, wish, caller=CALLER)
        broker.refused(session, refusal, caller=CALLER)
        refresh = helper.refresh(refresh).refresh_token
    before = len(FakeAws.asked), len(apps.house.kinds()), apps.rows("refresh_tokens")
    for again in (
        lambda: broker.credentials(session, wish, caller=ELSEWHERE),
        lambda: broker.console_link(session, wish, None, caller=CALLER),
        lambda: broker.refused(session, refusal, caller=CALLER),
        lambda: helper.refresh(refresh),
    ):
        with pytest.raises(TooMany):
            again()
    assert (len(FakeAws.asked), len(apps.house.kinds()), apps.rows("refresh_tokens")) == before
    # The honest twins: another guest, who has signed in, whom a directory let in; and the guest in a minute.
    other = helper.bearer(apps.tokens(apps.guest()), "credentials")
    robin = helper.bearer(apps.tokens(apps.exchange(apps.token())), "credentials")
    assert broker.credentials(other, wish, caller=CALLER) and broker.credentials(robin, wish, caller=CALLER)
    _, ana = apps.house.browser()
    for _ in range(EXCHANGES_PER_IDENTITY + 1):
        broker.refused(ana, refusal, caller=CALLER)
    apps.house.clock.at += timedelta(minutes=1)
    assert helper.refresh(refresh)
    monkeypatch.setattr("app.broker.desk.GUESTS_PER_MINUTE", 2)
    monkeypatch.setattr("app.broker.desk.EXCHANGES_PER_CLIENT", 3)
    assert broker.credentials(other, wish, caller=CALLER)
    with pytest.raises(TooMany):
        broker.credentials(other, wish, caller=CALLER)
    assert broker.credentials(robin, wish, caller=CALLER), "guests use up their own share of an address"
    assert broker.credentials(other, wish, caller=ELSEWHERE)
    with pytest.raises(TooMany):
        broker.credentials(other, wish, caller=ELSEWHERE)
    assert broker.credentials(robin, wish, caller=ELSEWHERE), "and of the app"


def test_a_session_whose_login_is_taken_away_as_it_begins_is_not_given(
    apps: Apps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RefreshTokens, "begin_on_proof", lambda *_, **__: False)
    with pytest.raises(GrantInvalid):
        apps.exchange(apps.token())


# --- origins ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("origin", "client", "known"),
    [
        ("http://127.0.0.1:8004", None, True),
        ("http://127.0.0.1:8004", "photo-app", True),
        ("http://127.0.0.1:8004", "cli", False),
        ("http://127.0.0.1:8004", "nobody", False),
        ("http://127.0.0.1:8004/", None, False),
        ("HTTP://127.0.0.1:8004", None, False),
        ("http://127.0.0.1:80045", None, False),
        ("null", None, False),
        ("", None, False),
    ],
)
def test_an_origin_is_known_as_the_client_declares_it(
    apps: Apps, origin: str, client: str | None, known: bool
) -> None:
    assert apps.house.broker.origin_known(origin, client) is known
