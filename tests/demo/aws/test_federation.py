"""The federation endpoint and the console page."""

import json
from datetime import timedelta

import pytest
import requests

from tests.demo.aws.conftest import FAR, arn


def session(caller, **changes):
    parts = {"sessionId": caller.key, "sessionKey": caller.secret, "sessionToken": caller.token, **changes}
    return json.dumps(parts)


def token(double, text, method="POST", **more):
    fields = {"Action": "getSigninToken", "Session": text, **more}
    kind = "data" if method == "POST" else "params"
    return requests.request(method, f"{double.url}/federation", timeout=5, **{kind: fields})


def login(double, signin, destination=None, browser=None, **more):
    fields = {
        "Action": "login",
        "Issuer": "http://localhost:8000/sign-in",
        "Destination": destination or f"{double.url}/console/home",
        "SigninToken": signin,
        **more,
    }
    return (browser or requests).get(
        f"{double.url}/federation", params=fields, timeout=5, allow_redirects=False
    )


def signin(double, caller, **more):
    answer = token(double, session(caller), **more)
    assert answer.status_code == 200, answer.text
    return answer.json()["SigninToken"]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("seconds", ["900", "43200", None])
def test_a_sign_in_token_is_given(broker, double, method, seconds):
    more = {"SessionDuration": seconds} if seconds else {}
    assert token(double, session(broker.assume(arn("Plain"))), method, **more).json()["SigninToken"]


def test_chained_credentials_get_one_without_session_duration_only(broker, double):
    chained = broker.assume(arn("Hub")).assume(arn("FarOpen", FAR))
    assert token(double, session(chained)).status_code == 200
    answer = token(double, session(chained), SessionDuration="900")
    assert (answer.status_code, answer.json()) == (400, {"message": "Invalid credentials parameter"})


@pytest.mark.parametrize("seconds", ["899", "43201", "x", "", "-900", "900.0", "９００"])
def test_a_session_duration_out_of_range(broker, double, seconds):
    assert token(double, session(broker.assume(arn("Plain"))), SessionDuration=seconds).status_code == 400


@pytest.mark.parametrize(
    "changes",
    [
        {"sessionKey": "wrong"},
        {"sessionToken": "wrong"},
        {"sessionId": "ASIAWRONGWRONGWRONG0"},
        {"sessionKey": ""},
        {"sessionKey": 5},
        {"extra": "x"},
    ],
)
def test_credentials_that_are_wrong(broker, double, changes):
    assert token(double, session(broker.assume(arn("Plain")), **changes)).status_code == 400


@pytest.mark.parametrize("text", ["", "{", "[]", "5", "{}", "null", "[" * 5000])
def test_a_session_that_is_none(double, text):
    assert token(double, text).status_code == 400


def test_a_long_term_key_is_no_session(broker, double):
    assert token(double, session(broker, sessionToken="x")).status_code == 400


def test_expired_credentials(broker, double):
    caller = broker.assume(arn("Plain"), DurationSeconds=900)
    double.clock.move(timedelta(seconds=901))
    try:
        assert token(double, session(caller)).status_code == 400
    finally:
        double.clock.move(timedelta(seconds=-901))


def test_the_console_says_who_is_in_and_until_when(broker, double):
    caller = broker.assume(arn("Plain"), SourceIdentity="corp.ana")
    browser = requests.Session()
    answer = login(double, signin(double, caller, SessionDuration="3600"), browser=browser)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{double.url}/console/home")
    assert "HttpOnly" in answer.headers["Set-Cookie"]
    page = browser.get(answer.headers["Location"], timeout=5)
    for part in (
        "This is a double, not AWS",
        "arn:aws:sts::111122223333:assumed-role/Plain/ana-1",
        "111122223333",
        "corp.ana",
        "UTC",
    ):
        assert part in page.text
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert page.headers["Cache-Control"] == "no-store"


def test_the_console_session_ends(broker, double):
    browser = requests.Session()
    login(double, signin(double, broker.assume(arn("Plain")), SessionDuration="900"), browser=browser)
    assert browser.get(f"{double.url}/console/home", timeout=5).status_code == 200
    double.clock.move(timedelta(seconds=901))
    try:
        page = browser.get(f"{double.url}/console/home", timeout=5)
        assert page.status_code == 401 and "http://localhost:8000/sign-in" in page.text
    finally:
        double.clock.move(timedelta(seconds=-901))


def test_signing_out_ends_it(broker, double):
    browser = requests.Session()
    login(double, signin(double, broker.assume(arn("Plain"))), browser=browser)
    browser.get(f"{double.url}/oauth", params={"Action": "logout"}, timeout=5)
    assert browser.get(f"{double.url}/console/home", timeout=5).status_code == 401


def test_nobody_is_in_without_a_link(double):
    for cookies in ({}, {f"aws-double-console-{double.port}": "garbage"}):
        page = requests.get(f"{double.url}/console/home", cookies=cookies, timeout=5)
        assert page.status_code == 401 and "This is a double, not AWS" in page.text


def test_a_sign_in_token_is_no_console_cookie(broker, double):
    cookies = {f"aws-double-console-{double.port}": signin(double, broker.assume(arn("Plain")))}
    assert requests.get(f"{double.url}/console/home", cookies=cookies, timeout=5).status_code == 401


def test_a_sign_in_token_works_once(broker, double):
    one = signin(double, broker.assume(arn("Plain")))
    assert [login(double, one).status_code for _ in range(2)] == [302, 400]


def test_a_sign_in_token_lives_15_minutes(broker, double):
    caller = broker.assume(arn("Plain"))
    early, late = signin(double, caller), signin(double, caller)
    double.clock.move(timedelta(minutes=14))
    try:
        assert login(double, early).status_code == 302
        double.clock.move(timedelta(minutes=1, seconds=1))
        assert login(double, late).status_code == 400
        double.clock.move(timedelta(minutes=-1, seconds=-1))
    finally:
        double.clock.move(timedelta(minutes=-14))


@pytest.mark.parametrize("wrong", ["", "garbage", None])
def test_a_sign_in_token_that_is_none(broker, double, wrong):
    assert login(double, wrong if wrong is not None else broker.assume(arn("Plain")).token).status_code == 400


def test_a_console_address_of_aws_is_shown_on_the_doubles_own_page(broker, double):
    address = "https://eu-west-1.console.aws.amazon.com/s3/home?region=eu-west-1"
    browser = requests.Session()
    answer = login(double, signin(double, broker.assume(arn("Plain"))), address, browser)
    assert answer.headers["Location"] == f"{double.url}/console/home"
    assert address in browser.get(answer.headers["Location"], timeout=5).text


@pytest.mark.parametrize(
    "destination",
    [
        "https://evil.example/",
        "https://console.aws.amazon.com.evil.example/",
        "https://evil@console.aws.amazon.com/",
        "https://evil@eu-west-1.console.aws.amazon.com/",
        "https://console.aws.amazon.com:444/",
        "http://console.aws.amazon.com/",
        "javascript:alert(1)",
        "/console",
        "https://[",
    ],
)
def test_a_destination_that_is_not_the_console(broker, double, destination):
    one = signin(double, broker.assume(arn("Plain")))
    answer = login(double, one, destination)
    assert answer.status_code == 400 and "Location" not in answer.headers
    assert login(double, one).status_code == 302  # the token is not used up by it


def test_nothing_of_the_callers_is_markup(broker, double):
    browser = requests.Session()
    evil = "https://console.aws.amazon.com/<script>alert(1)</script>"
    login(double, signin(double, broker.assume(arn("Plain"))), evil, browser)
    assert "<script>" not in browser.get(f"{double.url}/console/home", timeout=5).text
    answer = login(double, "x", Issuer="javascript:alert(1)")
    assert "javascript:" not in answer.text


def test_other_actions_and_doubled_fields_are_refused(double):
    for query in ("", "Action=other", "Action=login&Action=getSigninToken", "Action=%FF", "Action"):
        assert requests.get(f"{double.url}/federation?{query}", timeout=5).status_code == 400
    assert (
        requests.post(f"{double.url}/federation?x=1", data={"Action": "login"}, timeout=5).status_code == 400
    )
