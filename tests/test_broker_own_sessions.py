"""A person's own sessions, and what policies can say about the client that asks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from app.errors import NotSignedIn, RoleUnknown, SessionUnknown, TokenInvalid
from app.model import RoleAsk
from app.store import Search
from tests.helper import ASK, BOT_ASK, Helper, bot
from tests.house import CALLER, READ_ONLY, House, opened

DEVELOPER = "arn:aws:iam::444455556666:role/Developer"


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    with opened(tmp_path, monkeypatch) as made:
        yield made


# --- own sessions -------------------------------------------------------------------------------------------


def test_a_person_sees_their_own_that_live_newest_use_first(house: House) -> None:
    _, ana = house.browser()
    house.browser("ben")
    house.clock.at += timedelta(minutes=1)
    _, second = house.browser()
    house.clock.at += timedelta(minutes=1)
    helper = Helper(house)
    first = helper.bearer(helper.sign_in(ana))
    house.clock.at += timedelta(minutes=1)
    app = helper.bearer(helper.sign_in(ana, replace(ASK, device="")))
    found = house.broker.sessions(ana, caller=CALLER)
    assert [each.id for each in found] == [app.id, first.id, second.id, ana.id]
    assert [(each.client, each.device) for each in found[:2]] == [("cli", None), ("cli", "ana's laptop")]
    house.clock.at = ana.idle_at
    assert {each.id for each in house.broker.sessions(second, caller=CALLER)} == {app.id, first.id, second.id}


def test_a_lifetime_that_was_shortened_is_told_everywhere(house: House) -> None:
    helper, (cookie, ana) = Helper(house), house.browser()
    tokens = helper.sign_in(ana)
    house.edit("daypass.yaml", "lifetime: 12h, idle: 2h", "lifetime: 1h, idle: 15m")
    house.apply()
    end = ana.created_at + timedelta(hours=1)
    shown = house.broker.sessions(ana, caller=CALLER)
    told = [*shown, house.broker.session(cookie, caller=CALLER), helper.bearer(tokens)]
    assert [each.expires_at for each in told] == [end] * 4


def test_a_client_has_a_name_for_people_and_one_that_is_gone_has_its_id(house: House) -> None:
    assert house.broker.client_name("cli") == "daypass command line"
    assert house.broker.client_name("gone") == "gone"


def test_a_person_ends_any_of_their_own_and_it_is_on_record(house: House) -> None:
    helper, (cookie, ana), (_, elsewhere) = Helper(house), house.browser(), house.browser()
    tokens = helper.sign_in(ana)
    session = helper.bearer(tokens)
    house.broker.end_session(elsewhere, session.id, caller=CALLER)
    with pytest.raises(TokenInvalid):
        helper.bearer(tokens)
    assert house.last() == (
        "session.ended",
        {"by": "person", "from_session": elsewhere.id, "client": "cli", "device": "ana's laptop"},
    )
    assert house.store.audit.search(Search(limit=1))[0].record.session == session.id
    house.broker.end_session(elsewhere, ana.id, caller=CALLER)
    with pytest.raises(NotSignedIn):
        house.broker.session(cookie, caller=CALLER)


def test_nobody_ends_what_is_somebody_elses_or_over(house: House) -> None:
    helper, (_, ana), (_, ben) = Helper(house), house.browser(), house.browser("ben")
    session = helper.bearer(helper.sign_in(ana))
    house.broker.end_session(ana, session.id, caller=CALLER)
    before = house.kinds()
    for id in (ana.id, session.id, "", "x" * 200, "\ud800"):
        with pytest.raises(SessionUnknown):
            house.broker.end_session(ben, id, caller=CALLER)
    with pytest.raises(SessionUnknown):
        house.broker.end_session(ana, session.id, caller=CALLER)
    assert house.kinds() == before


# --- policies -----------------------------------------------------------------------------------------------


def only_for(house: House, key: str, value: str) -> None:
    """Engineers may use Developer only if that condition holds."""
    house.edit("accounts.yaml", "      level: power\n      allow: [engineering]", "      level: power")
    statement = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Resource": DEVELOPER,
        "Condition": {"StringEquals": {key: value}},
    }
    house.write("policies/by-client.json", json.dumps({"Version": "2012-10-17", "Statement": statement}))
    house.write(
        "groups.yaml",
        (house.config / "groups.yaml").read_text() + "engineering: {policies: [by-client]}\n",
    )
    house.apply()


@pytest.mark.parametrize(("key", "value"), [("daypass:Client", "cli"), ("daypass:Device", "ana's laptop")])
def test_a_role_for_the_helper_alone_is_the_helpers_alone(house: House, key: str, value: str) -> None:
    other = bot(house)
    house.edit("clients/bot.yaml", "scopes: [roles]", "scopes: [roles, credentials]")
    only_for(house, key, value)
    helper, (cookie, ana) = Helper(house), house.browser()
    session = helper.bearer(helper.sign_in(ana), "credentials")
    assert DEVELOPER in [each.role.arn for each in house.broker.roles(session, caller=CALLER)]
    assert house.broker.explain(session, DEVELOPER, caller=CALLER).decision.allowed
    assert house.broker.credentials(session, RoleAsk(DEVELOPER), caller=CALLER)
    browser = house.broker.session(cookie, caller=CALLER)
    app = other.bearer(other.sign_in(ana, BOT_ASK))
    # Who calls cannot say otherwise: only the session does.
    liar = replace(CALLER, client="cli", device="ana's laptop")
    for asking in (browser, app):
        for caller in (CALLER, liar):
            assert DEVELOPER not in [each.role.arn for each in house.broker.roles(asking, caller=caller)]
            with pytest.raises(RoleUnknown):
                house.broker.credentials(asking, RoleAsk(DEVELOPER), caller=caller)
            assert READ_ONLY in [each.role.arn for each in house.broker.roles(asking, caller=caller)]
