"""Sessions of apps' people and guests: when they count, which roles they see, what goes to AWS for them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from app.broker.liveness import living
from app.errors import NotSignedIn, RequestNotPossible, RoleForbidden, RoleUnknown
from app.model import (
    GUEST,
    Authentication,
    CredentialRequest,
    Credentials,
    Identity,
    RoleAsk,
    Session,
    SourceId,
)
from tests.house import CALLER, READ_ONLY, House, opened

UPLOADS = "arn:aws:iam::444455556666:role/AppUploads"
APP = "clients/photo-app.yaml"
ID = "5f6c3ab1-1111-4222-8333-444455556666"
SOCIAL = SourceId("social")


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    with opened(tmp_path, monkeypatch) as made:
        yield made


def brought(house: House, **changes: object) -> Session:
    """Of somebody whom the app brings."""
    now = house.clock.at
    session = Session(
        id=secrets.token_hex(8),
        identity=Identity(SOCIAL, "1001", "robin@chirp.test", {"id": ("1001",)}, Authentication(now)),
        created_at=now,
        expires_at=now + timedelta(hours=1),
        idle_at=now + timedelta(hours=1),
        csrf="csrf",
        trust=house.parts.active.current().trust[SOCIAL],
        client="photo-app",
        pool_identity=ID,
    )
    return replace(session, **changes)  # type: ignore[arg-type]


def guest(house: House, **changes: object) -> Session:
    identity = Identity(GUEST, ID, "guest", {}, Authentication(house.clock.at))
    return brought(house, **{"identity": identity, "trust": "", **changes})


def alive(house: House, session: Session) -> bool:
    try:
        living(session, house.parts.active.current(), house.clock.at)
    except NotSignedIn:
        return False
    return True


def roles(house: House, session: Session) -> list[str]:
    """That may be assumed now, without a step-up."""
    return [each.role.name for each in house.broker.roles(session, caller=CALLER) if each.needs is None]


# --- whose sessions count -----------------------------------------------------------------------------


def test_a_guest_is_signed_in_as_long_as_the_app_has_guests(house: House) -> None:
    session = guest(house)
    assert alive(house, session)
    house.edit(APP, "guests: true", "guests: false")
    house.edit("accounts.yaml", ", app/photo-app/guests]", "]")
    house.apply()
    assert not alive(house, session)
    with pytest.raises(NotSignedIn):
        roles(house, session)


@pytest.mark.parametrize("changes", [{"client": None}, {"client": "cli"}, {"client": "gone"}, {"trust": "x"}])
def test_nobody_else_is_a_guest(house: House, changes: dict[str, object]) -> None:
    assert alive(house, guest(house))
    assert not alive(house, guest(house, **changes))


def test_without_trust_only_a_guest_is_believed(house: House) -> None:
    assert alive(house, brought(house))
    assert not alive(house, brought(house, trust=""))
    _, ana = house.browser()
    assert not alive(house, replace(ana, trust=""))


def test_whom_the_app_may_not_bring_any_more_is_signed_out_and_who_was_let_in_at_a_page_is_not(
    house: House,
) -> None:
    here, native = brought(house), brought(house, approved_by="s1")
    assert alive(house, here) and alive(house, native)
    house.edit(APP, "accepts: {social: [acme-app]}", "accepts: {partner: [acme-app]}")
    house.apply()
    assert (alive(house, here), alive(house, native)) == (False, True)
    assert not alive(house, brought(house, client="cli")), (
        "nor does a client that has no exchange bring anybody"
    )


# --- what they may have -------------------------------------------------------------------------------


def test_an_app_is_given_its_roles_and_no_other_whatever_policy_says(house: House) -> None:
    house.write("groups.yaml", "app/photo-app: {policies: [aws:AdministratorAccess]}\n")
    house.edit("accounts.yaml", "allow: [sre]", "allow: [sre, app/photo-app]")
    house.apply()
    session = brought(house)
    assert roles(house, session) == ["AppUploads"]
    for arn in (READ_ONLY, "arn:aws:iam::111122223333:role/Admin"):
        for ask in (
            lambda arn=arn: house.broker.credentials(session, RoleAsk(arn), caller=CALLER),
            lambda arn=arn: house.broker.console_link(session, RoleAsk(arn), None, caller=CALLER),
            lambda arn=arn: house.broker.explain(session, arn, caller=CALLER),
        ):
            with pytest.raises(RoleUnknown):
                ask()
    assert house.broker.credentials(session, RoleAsk(UPLOADS), caller=CALLER)
    house.edit(APP, "roles: [", f"roles: [{READ_ONLY}, ")
    house.apply()
    assert roles(house, session) == ["ReadOnly", "AppUploads"]
    assert house.broker.credentials(session, RoleAsk(READ_ONLY), caller=CALLER)


def test_a_client_without_such_a_bound_sees_what_its_person_may_have(house: House) -> None:
    _, ana = house.browser()
    helper = replace(ana, client="cli", approved_by=ana.id)
    assert roles(house, helper) == roles(house, ana) == ["ReadOnly", "Developer"]
    house.write("clients/cli.yaml", f"name: Shell\ngrants: [device]\nroles: [{READ_ONLY}]\n")
    house.apply()
    assert (roles(house, helper), roles(house, ana)) == (["ReadOnly"], ["ReadOnly", "Developer"])


def test_guests_may_be_given_less_than_people(house: House) -> None:
    assert roles(house, guest(house)) == ["AppUploads"]
    house.edit("accounts.yaml", ", app/photo-app/guests]", "]")
    house.apply()
    assert (roles(house, guest(house)), roles(house, brought(house))) == ([], ["AppUploads"])
    with pytest.raises(RoleUnknown):
        house.broker.credentials(guest(house), RoleAsk(UPLOADS), caller=CALLER)


def test_policies_know_the_identity(house: House) -> None:
    condition = f'{{StringEquals: {{"daypass:identity-id": {ID}}}}}'
    policy = f"{{Version: '2012-10-17', Statement: [{{Effect: Allow, Condition: {condition}}}]}}"
    house.edit(
        "accounts.yaml",
        "allow: [app/photo-app, app/photo-app/guests]",
        f"inline: {{One: {{groups: [app/photo-app], policy: {policy}}}}}",
    )
    house.apply()
    assert roles(house, brought(house)) == ["AppUploads"]
    assert roles(house, brought(house, pool_identity=ID.replace("5", "6"))) == []
    assert roles(house, brought(house, pool_identity="")) == []


# --- what goes to AWS ---------------------------------------------------------------------------------


def sent(house: House, session: Session, ask: RoleAsk, monkeypatch: pytest.MonkeyPatch) -> CredentialRequest:
    seen: list[CredentialRequest] = []
    aws = type(house.parts.active.current().aws)
    honest = aws.assume

    def assume(self: object, request: CredentialRequest) -> Credentials:
        seen.append(request)
        return honest(self, request)  # type: ignore[arg-type]

    monkeypatch.setattr(aws, "assume", assume)
    house.broker.credentials(session, ask, caller=CALLER)
    return seen[0]


@pytest.mark.parametrize("who", [brought, guest])
def test_each_has_their_own_folder_and_aws_hears_no_address(
    house: House, monkeypatch: pytest.MonkeyPatch, who: object
) -> None:
    session = who(house)  # type: ignore[operator]
    request = sent(house, session, RoleAsk(UPLOADS), monkeypatch)
    assert f'"arn:aws:s3:::app-uploads/{ID}/*"' in (request.policy or "")
    assert "daypass" not in (request.policy or "")
    assert (request.source_identity, request.session_name) == (f"app-{ID}", f"photo-app-{ID}")
    assert "chirp" not in repr(request)
    kind, detail = house.last()
    assert (kind, detail["client"], detail["source_identity"]) == (
        "credentials.issued",
        "photo-app",
        f"app-{ID}",
    )


@pytest.mark.parametrize(("asked", "given"), [(None, 1200), (3600, 1200), (1200, 1200), (900, 900)])
def test_credentials_live_no_longer_than_the_client_may_have(
    house: House, monkeypatch: pytest.MonkeyPatch, asked: int | None, given: int
) -> None:
    house.edit(APP, "credentials: 1h", "credentials: 20m")
    house.apply()
    ask = RoleAsk(UPLOADS, None if asked is None else timedelta(seconds=asked))
    assert sent(house, brought(house), ask, monkeypatch).duration == timedelta(seconds=given)


# --- a role that could not be had ---------------------------------------------------------------------


def test_a_role_for_an_apps_people_is_not_listed_for_others_and_the_reason_is_told(house: House) -> None:
    _, ana = house.browser("ana", "sre")
    allowed = house.broker.explain(ana, UPLOADS, caller=CALLER)
    assert allowed.decision.allowed, "the template opens it to them"
    assert roles(house, ana) == ["Admin", "ReadOnly", "Developer"] or "AppUploads" not in roles(house, ana)
    assert allowed.why == "Policy lets you use this role, but it cannot be given to you here."
    assert "for people of an app" in allowed.would_change
    with pytest.raises(RequestNotPossible) as refused:
        house.broker.credentials(ana, RoleAsk(UPLOADS), caller=CALLER)
    assert refused.value.words == allowed.would_change
    told = house.broker.explain(brought(house), UPLOADS, caller=CALLER)
    assert told.decision.allowed and told.would_change == ""


def test_a_session_without_an_identity_is_told_the_same(house: House) -> None:
    session = brought(house, pool_identity="")
    assert roles(house, session) == []
    assert "daypass:identity-id" in house.broker.explain(session, UPLOADS, caller=CALLER).would_change
    assert not isinstance(RequestNotPossible(), RoleForbidden)
