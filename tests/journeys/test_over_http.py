"""Sign-in to credentials over HTTP, as a program with cookies sees it."""

import boto3
import pytest
from botocore.config import Config

from tests.attacks.directories import SamlCompany

READ_ONLY = "arn:aws:iam::111122223333:role/ReadOnly"
DEVELOPER = "arn:aws:iam::444455556666:role/Developer"


@pytest.fixture(scope="module")
def acme(tmp_path_factory):
    with SamlCompany(tmp_path_factory.mktemp("acme"), workers=2) as company:
        yield company


def caller_identity(acme, credentials):
    client = boto3.client(
        "sts",
        region_name="eu-west-1",
        endpoint_url=acme.aws_url,
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
        config=Config(retries={"total_max_attempts": 1}),
    )
    return client.get_caller_identity()


def test_a_sign_in_ends_with_credentials_that_stock_boto3_uses(acme):
    browser = acme.sign_in()
    me = acme.me(browser).json()
    assert (me["source"], me["username"], me["authentication"]["mfa"]) == ("corp", "ana", False)
    answer = acme.ask(browser, READ_ONLY, duration=900)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    who = caller_identity(acme, answer.json())
    assert who["Arn"].startswith("arn:aws:sts::111122223333:assumed-role/ReadOnly/ana-")


def test_a_role_behind_a_hub_with_an_external_id_works_too(acme):
    answer = acme.ask(acme.sign_in(), DEVELOPER)
    assert answer.status_code == 200, answer.text
    assert "444455556666:assumed-role/Developer/ana-" in caller_identity(acme, answer.json())["Arn"]


def test_what_happened_is_on_record_and_the_record_holds(acme):
    browser = acme.sign_in()
    issued = acme.ask(browser, READ_ONLY).json()
    assert acme.ask(browser, "arn:aws:iam::111122223333:role/Billing").status_code == 404
    found = acme.audit("search", "--json").stdout
    for kind in ("signin.succeeded", "credentials.asked", "credentials.issued", "credentials.refused"):
        assert kind in found
    assert issued["AccessKeyId"] in found
    assert issued["SecretAccessKey"] not in found and issued["SessionToken"][:40] not in found
    assert acme.audit("verify").returncode == 0


def test_nothing_secret_is_in_the_log_or_the_database(acme):
    browser = acme.sign_in()
    issued = acme.ask(browser, READ_ONLY).json()
    cookies = [cookie.value for cookie in browser.cookies]
    places = [acme.folder / "broker.log", *acme.folder.glob("daypass.db*")]
    for place in places:
        content = place.read_bytes()
        for secret in (issued["SecretAccessKey"], issued["SessionToken"][:60], *cookies):
            assert secret.encode() not in content, place
