"""Token exchange to AWS credentials in one step: which role of the app's is given, and why, in words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.errors import (
    NoRoleForApp,
    RequestNotPossible,
    StsFailed,
)
from app.store import Search
from tests.exchanging import AWS, HOUR, PHOTO, UPLOADS, Apps, apps_in
from tests.house import READ_ONLY, FakeAws


@pytest.fixture
def apps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Apps]:
    with apps_in(tmp_path, monkeypatch) as made:
        yield made


def nothing_given(apps: Apps) -> bool:
    """Nobody was let in, and AWS was not asked."""
    return apps.rows("sessions") == 0 and FakeAws.asked == []


# --- AWS credentials in one step ----------------------------------------------------------------------------


def test_credentials_come_in_one_step_with_the_role_and_why(apps: Apps) -> None:
    given = apps.exchange(apps.token(), AWS)
    assert given.tokens is None and given.credentials is not None
    assert given.role == UPLOADS
    assert given.reason == f"`{UPLOADS}`: `accounts.yaml/444455556666/AppUploads` (statement 1) allows it."
    (request,) = FakeAws.asked
    assert request.source_identity == f"app-{given.identity_id}" and request.duration == HOUR
    assert f"app-uploads/{given.identity_id}/*" in (request.policy or "")
    assert "chirp" not in repr(request)
    assert apps.house.kinds()[-3:] == ["token.exchanged", "credentials.asked", "credentials.issued"]
    records = [found.record for found in apps.house.store.audit.search(Search(limit=3))]
    assert len({record.session for record in records}) == 1
    assert {json.loads(record.detail)["identity_id"] for record in records} == {given.identity_id}
    assert apps.rows("sessions") == 0


def test_the_first_of_the_apps_roles_that_policy_allows_is_given_and_each_before_is_explained(
    apps: Apps,
) -> None:
    house = apps.house
    billing = "arn:aws:iam::111122223333:role/Billing"
    house.edit(PHOTO, f"roles: [{UPLOADS}]", f"roles: [{billing}, {READ_ONLY}, {UPLOADS}]")
    night = {
        "NumericLessThan": {"aws:MultiFactorAuthAge": "900"},
        "StringEquals": {"aws:username": "secret-name"},
    }
    policy = {"Version": "2012-10-17", "Statement": [{"Sid": "Fresh", "Effect": "Allow", "Action": "sts:AssumeRole",
              "Resource": READ_ONLY, "Condition": night}]}  # fmt: skip
    house.write("policies/fresh.json", json.dumps(policy))
    groups = (house.config / "groups.yaml").read_text()
    house.write("groups.yaml", groups + "app/photo-app: {policies: [fresh]}\n")
    house.apply()
    given = apps.exchange(apps.token(), AWS)
    assert given.role == UPLOADS
    assert f"`{billing}`: no statement for this person's groups (`app/photo-app`) is about it" in given.reason
    assert (
        f"`{READ_ONLY}`: `fresh` (Fresh) would allow it, but needs MFA in the last 15 minutes" in given.reason
    )
    assert "its condition on `aws:username` is not met" in given.reason
    for secret in ("secret-name", "finance", "engineering", ".json", ".yaml:"):
        assert secret not in given.reason
    with pytest.raises(NoRoleForApp) as caught:
        apps.exchange(apps.token(), replace(AWS, role=billing))
    assert caught.value.words.startswith("That role is not allowed to this person. ")
    assert "finance" not in caught.value.words
    kind, detail = house.last()
    assert (kind, detail["code"]) == ("exchange.refused", "oauth.no_role")


def test_a_deny_and_a_guardrail_are_named_and_no_other_groups(apps: Apps) -> None:
    house = apps.house
    deny = {"Version": "2012-10-17", "Statement": [{"Sid": "Never", "Effect": "Deny", "Action": "*",
            "Resource": "*", "Condition": {"StringEquals": {"daypass:Source": "social"}}}]}  # fmt: skip
    house.write("policies/shut.json", json.dumps(deny))
    groups = (house.config / "groups.yaml").read_text()
    house.write("groups.yaml", groups + "app/photo-app: {policies: [shut]}\n")
    house.apply()
    with pytest.raises(NoRoleForApp) as caught:
        apps.exchange(apps.token(), AWS)
    assert "`shut` (Never) denies it, its condition on `daypass:Source` is met" in caught.value.words
    house.write("groups.yaml", groups)
    allow = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "*", "Resource": READ_ONLY}],
    }
    (house.config / "guardrails/company").mkdir(parents=True)
    house.write("guardrails/company/only.json", json.dumps(allow))
    house.apply()
    with pytest.raises(NoRoleForApp) as caught:
        apps.exchange(apps.token(), AWS)
    assert caught.value.words == (
        f"None of this app's roles is allowed to this person. `{UPLOADS}`: guardrail `company` does not allow it."
    )
    assert FakeAws.asked == []


def test_a_role_that_is_allowed_and_cannot_be_asked_of_aws_is_no_reason_for_another(apps: Apps) -> None:
    house = apps.house
    house.edit(PHOTO, f"roles: [{UPLOADS}]", f"roles: [{READ_ONLY}, {UPLOADS}]")
    house.edit(
        "accounts.yaml", "allow: [engineering, finance, contractors, auditors]", "allow: [app/photo-app]"
    )
    house.edit("accounts.yaml", "session_policy: no-secrets ", "session_policy: by-team ")
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject",
              "Resource": "arn:aws:s3:::b/${daypass:Claim/team}/*"}]}  # fmt: skip
    house.write("policies/by-team.json", json.dumps(policy))
    house.apply()
    with pytest.raises(RequestNotPossible):
        apps.exchange(apps.token(), AWS)
    assert nothing_given(apps) and house.last()[0] == "exchange.refused"


def test_aws_that_fails_gives_nothing_and_is_on_record_as_failed(apps: Apps) -> None:
    FakeAws.raises = StsFailed("down")
    subject = apps.token()
    with pytest.raises(StsFailed):
        apps.exchange(subject, AWS)
    assert apps.house.kinds()[-3:] == ["token.exchanged", "credentials.asked", "credentials.failed"]
    FakeAws.raises = None
    assert apps.exchange(subject, AWS).credentials
