"""The server around it: loopback only, faults, introspection, the command."""

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest
import requests
from botocore.exceptions import ClientError

from demo.aws import faults, serve
from demo.aws.__main__ import main
from demo.aws.accounts import KeyPair, State, load, load_or_create, shipped
from demo.aws.faults import KINDS, Fault
from tests.demo.aws.conftest import ACCOUNTS, Caller, arn


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "localhost", "127.0.0.2", ""])
def test_it_listens_on_127_0_0_1_only(host):
    with pytest.raises(ValueError, match=r"127\.0\.0\.1 only"):
        serve(host=host)
    with pytest.raises(SystemExit) as ended:
        main(["--host", host or "0", "--port", "0"])
    assert ended.value.code == 2


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", ""])
def test_a_name_that_points_here_is_not_answered(double, host):
    for path in ("/", "/federation", "/console/home", "/_double/requests"):
        answer = requests.get(
            f"{double.url}{path}", headers={"Host": host.format(port=double.port)}, timeout=5
        )
        assert answer.status_code in (400, 421)


def test_bodies_have_a_limit(double):
    assert requests.post(f"{double.url}/", data="x" * 300_000, timeout=5).status_code == 413
    assert requests.post(f"{double.url}/", data=iter([b"x"]), timeout=5).status_code == 413


def test_the_last_calls_are_shown_without_secrets(broker, double):
    caller = broker.assume(arn("Plain"), SourceIdentity="corp.ana", Tags=[{"Key": "a", "Value": "b"}])
    broker.refused(arn("Other"))
    answer = requests.get(f"{double.url}/_double/requests", timeout=5)
    first, second = answer.json()
    assert (first["action"], first["status"], first["role"]) == ("AssumeRole", 200, arn("Plain"))
    assert (first["source_identity"], first["tags"], first["issued"]) == ("corp.ana", {"a": "b"}, caller.key)
    assert (second["status"], second["code"]) == (403, "AccessDenied")
    for secret in (caller.secret, caller.token, broker.secret):
        assert secret not in answer.text
    counters = requests.get(f"{double.url}/_double/counters", timeout=5).json()
    assert counters == {"AssumeRole": 2, "AssumeRole 200": 1, "AssumeRole 403": 1}


@pytest.mark.parametrize(
    ("kind", "code"),
    [("error", "InternalFailure"), ("unavailable", "ServiceUnavailable"), ("throttle", "Throttling")],
)
def test_a_fault_holds_for_as_many_calls_as_were_asked(broker, double, kind, code):
    body = {"kind": kind, "calls": 2, "action": "GetCallerIdentity"}
    assert requests.post(f"{double.url}/_double/fault", json=body, timeout=5).status_code == 200
    assert broker.assume(arn("Plain"))  # another action
    for _ in range(2):
        with pytest.raises(ClientError) as failed:
            broker.sdk.get_caller_identity()
        assert failed.value.response["Error"]["Code"] == code
    assert broker.sdk.get_caller_identity()


def test_faults_are_switched_off(broker, double):
    double.faults.add(Fault("error", calls=99))
    requests.delete(f"{double.url}/_double/fault", timeout=5)
    assert broker.sdk.get_caller_identity()


def test_the_kinds_of_faults_are_all_named_in_their_module():
    for kind in KINDS:
        assert f"`{kind}`" in (faults.__doc__ or "")


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "[]",
        '{"kind": "unknown"}',
        '{"calls": 1}',
        '{"kind": "error", "x": 1}',
        '{"kind":"edit","pattern":"("}',
    ],
)
def test_a_fault_that_is_none_is_refused(double, body):
    headers = {"Content-Type": "application/json"}
    assert (
        requests.post(f"{double.url}/_double/fault", data=body, headers=headers, timeout=5).status_code == 400
    )


def test_a_page_of_another_site_cannot_switch_faults(double):
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        headers = {"Content-Type": kind}
        answer = requests.post(
            f"{double.url}/_double/fault", data='{"kind":"error"}', headers=headers, timeout=5
        )
        assert answer.status_code == 415


def test_the_clock_can_be_moved(double):
    def now():
        return requests.get(f"{double.url}/_double/clock", timeout=5).json()["now"]

    before = now()
    requests.post(f"{double.url}/_double/clock", json={"move": 86400}, timeout=5)
    try:
        assert now()[:10] > before[:10]
    finally:
        requests.post(f"{double.url}/_double/clock", json={"move": -86400}, timeout=5)


def left(caller):
    """Seconds until the keys of a fresh session end."""
    return (caller.answer(arn("Plain"))["Credentials"]["Expiration"] - datetime.now(UTC)).total_seconds()


def test_sessions_can_be_made_short_and_aws_own_again(broker, double):
    requests.post(f"{double.url}/_double/sessions", json={"longest": 60}, timeout=5).raise_for_status()
    try:
        assert 50 < left(broker) <= 60
        caller = broker.assume(arn("Plain"))
        assert caller.sdk.get_caller_identity()["Arn"].endswith("assumed-role/Plain/ana-1")
        requests.post(f"{double.url}/_double/sessions", json={"longest": 7200}, timeout=5)
        assert 3590 < left(broker) <= 3600  # never longer than was asked for
        requests.post(f"{double.url}/_double/sessions", json={"longest": 60}, timeout=5)
    finally:
        requests.post(f"{double.url}/_double/reset", json={}, timeout=5)
    assert 3590 < left(broker) <= 3600


def test_a_short_session_is_over_when_it_said(broker, double):
    requests.post(f"{double.url}/_double/sessions", json={"longest": 1}, timeout=5).raise_for_status()
    try:
        caller = broker.assume(arn("Plain"))
        ends = datetime.now(UTC) + timedelta(seconds=1)
        while datetime.now(UTC) <= ends:
            time.sleep(0.05)
        with pytest.raises(ClientError) as failed:
            caller.sdk.get_caller_identity()
        assert failed.value.response["Error"]["Code"] == "ExpiredToken"
    finally:
        requests.post(f"{double.url}/_double/sessions", json={"longest": None}, timeout=5)


@pytest.mark.parametrize("body", [{}, {"longest": 0}, {"longest": -5}, {"longest": "60"}, {"longest": True}])
def test_lives_that_are_none_are_refused(double, body):
    assert requests.post(f"{double.url}/_double/sessions", json=body, timeout=5).status_code == 400


def test_the_log_names_the_key_that_signed(broker, double):
    caller = broker.assume(arn("Plain"))
    caller.sdk.get_caller_identity()
    assumed, asked = requests.get(f"{double.url}/_double/requests", timeout=5).json()
    assert (assumed["key"], assumed["issued"]) == (broker.key, caller.key)
    assert (asked["action"], asked["key"]) == ("GetCallerIdentity", caller.key)


def test_unknown_addresses_below_double(double):
    assert requests.get(f"{double.url}/_double/else", timeout=5).status_code == 404
    assert requests.get(f"{double.url}/_double/", timeout=5).json()["double"] == "aws"


def test_it_stops_and_lets_go_of_its_callers():
    double = serve()
    browser = requests.Session()
    browser.get(f"{double.url}/_double/", timeout=5)
    double.stop()
    with pytest.raises(requests.ConnectionError):
        browser.get(f"{double.url}/_double/", timeout=5)


# --- accounts and state ---------------------------------------------------------------------------


def test_the_shipped_accounts_are_those_of_the_shipped_configuration():
    accounts = shipped("x-external")
    assert {role.arn for role in accounts.roles.values()} == {
        *(arn(name) for name in ("Admin", "ReadOnly", "Billing", "Hub")),
        arn("Developer", "444455556666"),
        arn("AppUploads", "444455556666"),
        arn("Release", "444455556666"),
    }
    assert {(bucket.name, bucket.account) for bucket in accounts.buckets.values()} == {
        ("app-uploads", "444455556666")
    }
    assert "x-external" in str(accounts.roles[arn("Developer", "444455556666")].trust)


def test_the_key_pair_is_made_once_and_kept(tmp_path):
    state = load_or_create(tmp_path / "var")
    assert load_or_create(tmp_path / "var") == state
    file = tmp_path / "var" / "aws-double.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert load_or_create(file) == state
    assert state.broker.secret_access_key not in repr(state)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"access_key_id": "a"}'])
def test_a_state_file_that_is_none(tmp_path, text):
    (tmp_path / "state.json").write_text(text)
    with pytest.raises(ValueError, match="does not hold"):
        load_or_create(tmp_path / "state.json")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "a: {",
        "users: []\nroles: []\nbroker: arn:aws:iam::111122223333:user/x",
        "users: [{arn: u}]\nroles: [{arn: r, trust: {}}]\nbroker: u",
        "users: [{arn: u}]\nroles:\n"
        "- {arn: 'arn:aws:iam::111122223333:role/A', trust: {}, max_session_duration: 60}\nbroker: u",
    ],
)
def test_an_accounts_file_that_is_none(tmp_path, text):
    (tmp_path / "accounts.yaml").write_text(text)
    with pytest.raises(ValueError):
        load(tmp_path / "accounts.yaml")


def test_tokens_survive_a_restart_with_the_same_state():
    state = State.made()
    with serve(accounts=ACCOUNTS, state=state) as double:
        port = double.port
        caller = Caller(double, state.broker.access_key_id, state.broker.secret_access_key).assume(
            arn("Plain")
        )
    with serve(accounts=ACCOUNTS, state=state, port=port):
        assert caller.sdk.get_caller_identity()["Arn"].endswith("assumed-role/Plain/ana-1")


def test_other_state_knows_none_of_it(broker):
    caller = broker.assume(arn("Plain"))
    with serve(accounts=ACCOUNTS) as other:
        stranger = Caller(other, caller.key, caller.secret, caller.token)
        with pytest.raises(ClientError, match="InvalidClientTokenId"):
            stranger.sdk.get_caller_identity()


def test_the_command_serves_and_ends(tmp_path):
    pair = KeyPair.made()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "AWS_ACCESS_KEY_ID": pair.access_key_id,
        "AWS_SECRET_ACCESS_KEY": pair.secret_access_key,
        "PYTHONUNBUFFERED": "1",
    }
    command = [sys.executable, "-m", "demo.aws", "--port", "0", "--state", str(tmp_path / "var")]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            line = child.stdout.readline()
            url = line.split()[3]
            about = requests.get(f"{url}/_double/", timeout=5).json()
            assert about["broker"] == pair.access_key_id
            assert pair.secret_access_key not in line
        finally:
            began = time.monotonic()
            child.send_signal(signal.SIGTERM)
            assert child.wait(5) == 0
            assert time.monotonic() - began < 4


def test_a_port_that_is_taken(double, capsys):
    assert main(["--port", str(double.port)]) == 2
    assert "cannot start" in capsys.readouterr().err
