"""Console links against the double: they open, and what AWS refuses is met."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from app.aws import Aws
from app.errors import ConsoleFailed, DestinationForbidden
from app.model import Endpoint
from tests.aws.builders import ISSUER, request, sandbox
from tests.aws.conftest import make


def link(aws, credentials, destination=None):
    return aws.console_link(credentials, aws.destination(destination), ISSUER, datetime.now(UTC))


def opened(url):
    return requests.get(url, timeout=5)


def test_the_link_opens_the_console_as_the_session(aws):
    page = opened(link(aws, aws.assume(request())).url)
    assert page.status_code == 200
    for part in ("111122223333", "assumed-role/Admin/ana-5d41402a", "corp.ana", "This is a double, not AWS"):
        assert part in page.text


def test_the_link_names_issuer_and_destination_and_lasts_15_minutes(aws, double):
    now = datetime.now(UTC)
    made = aws.console_link(aws.assume(request()), f"{double.url}/console/s3?x=1#y", ISSUER, now)
    query = parse_qs(urlsplit(made.url).query)
    assert query["Action"] == ["login"]
    assert query["Issuer"] == [ISSUER]
    assert query["Destination"] == [f"{double.url}/console/s3?x=1#y"]
    assert made.expires_at == now + timedelta(minutes=15)


def test_the_link_works_for_chained_credentials(aws):
    assert "444455556666" in opened(link(aws, aws.assume(sandbox())).url).text


def test_a_link_works_once(aws):
    url = link(aws, aws.assume(request())).url
    assert opened(url).status_code == 200
    assert opened(url).status_code == 400


def test_session_duration_is_left_out_when_it_is_refused(aws, double, fault):
    credentials = aws.assume(request())
    fault("answer", "getSigninToken", status=400, body="Invalid credentials parameter")
    assert opened(link(aws, credentials).url).status_code == 200
    assert double.log.counters()["getSigninToken"] == 2


def test_session_duration_is_never_sent_for_chained_credentials(aws, double):
    link(aws, aws.assume(sandbox()))
    assert double.log.counters()["getSigninToken 200"] == double.log.counters()["getSigninToken"] == 1


def test_the_secrets_are_posted_and_never_in_an_address(aws, double):
    link(aws, aws.assume(request()))
    assert [call["method"] for call in double.log.calls() if call["action"] == "getSigninToken"] == ["POST"]


@pytest.mark.parametrize(
    ("fault_of", "says"),
    [
        ({"kind": "error", "calls": 9}, "HTTP 500"),
        ({"kind": "drop", "calls": 9}, "no HTTP answer"),
        ({"kind": "garbage"}, "not JSON"),
        ({"kind": "truncated"}, "not JSON"),
        ({"kind": "answer", "body": "[]"}, "no sign-in token"),
        ({"kind": "answer", "body": '{"SigninToken": 5}'}, "no sign-in token"),
        ({"kind": "answer", "body": '{"SigninToken": ""}'}, "no sign-in token"),
        ({"kind": "answer", "body": '{"SigninToken": "a\\nb"}'}, "no sign-in token"),
        ({"kind": "answer", "body": "[" * 30_000}, "not JSON"),
        ({"kind": "answer", "body": "x" * 70_000, "calls": 9}, "longer than"),
        ({"kind": "answer", "status": 302, "location": "http://127.0.0.1:9/"}, "HTTP 302"),
        ({"kind": "answer", "status": 403}, "HTTP 403"),
        ({"kind": "answer", "status": 400, "calls": 2}, "HTTP 400"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_failing_sign_in_endpoint_gives_no_link(aws, fault, fault_of, says):
    credentials = aws.assume(request())
    fault(action="getSigninToken", **fault_of)
    with pytest.raises(ConsoleFailed) as failed:
        link(aws, credentials)
    assert says in failed.value.detail
    assert credentials.secret_access_key not in failed.value.detail


@pytest.mark.parametrize("kind", ["slow", "drip"])
def test_a_slow_sign_in_endpoint_gives_no_link(keys, fault, kind):
    aws = make(keys, timeout=0.3)
    credentials = aws.assume(request())
    fault(kind, "getSigninToken", seconds=1 if kind == "slow" else 0.1, calls=9)
    with pytest.raises(ConsoleFailed):
        link(aws, credentials)


def test_credentials_that_have_expired_give_no_link(aws, double):
    credentials = aws.assume(request())
    double.clock.move(timedelta(hours=2))
    try:
        with pytest.raises(ConsoleFailed, match="HTTP 400"):
            link(aws, credentials)
    finally:
        double.clock.move(timedelta(hours=-2))


def test_a_destination_is_checked_again_when_the_link_is_made(aws):
    with pytest.raises(DestinationForbidden):
        aws.console_link(aws.assume(request()), "https://evil.example/", ISSUER, datetime.now(UTC))


def test_a_sign_in_endpoint_that_is_not_there(keys):
    aws = Aws(Endpoint("aws", ("eu-west-1",), keys.url, "http://127.0.0.1:9"), timeout=0.5)
    with pytest.raises(ConsoleFailed, match="no connection"):
        link(aws, aws.assume(request()))
