"""No credential in any log record, exception or repr, whatever is switched on."""

import logging
import traceback

import pytest

from app.aws import Aws
from app.errors import Refusal
from app.model import Endpoint
from tests.aws.builders import ISSUER, request, sandbox
from tests.aws.conftest import make


@pytest.fixture
def everything(caplog):
    """All records of all loggers at DEBUG, also of loggers whose level somebody set by name."""
    names = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] != "faker"]
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.DEBUG)
    with caplog.at_level(logging.DEBUG):
        yield caplog
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def said(caplog):
    formatter = logging.Formatter("%(name)s %(message)s")
    return "\n".join(formatter.format(record) for record in caplog.records)


def secrets_of(*all_of_them):
    for one in all_of_them:
        yield one.secret_access_key
        if getattr(one, "session_token", None):
            yield one.session_token


def test_issue_and_console_leave_nothing_in_the_logs(aws, double, everything):
    credentials = aws.assume(sandbox())
    link = aws.console_link(credentials, aws.destination(None), ISSUER, credentials.expiration)
    token = link.url.partition("SigninToken=")[2]
    for secret in (*secrets_of(credentials, double.broker), token):
        assert secret not in said(everything)
    for value in (credentials, link, aws):
        assert credentials.secret_access_key not in repr(value) and token not in repr(value)


def test_the_sdks_own_calls_for_a_profile_leave_nothing(assuming, double, everything):
    assuming("Hub")
    aws = make(double)
    credentials = aws.assume(sandbox(hops=()))
    own = aws._chain._credentials.get_frozen_credentials()
    text = said(everything)
    assert "botocore.credentials" in text  # the SDK did speak
    for secret in (own.secret_key, own.token, *secrets_of(credentials, double.broker)):
        assert secret not in text


FAULTS = [
    {"kind": "error", "calls": 9},
    {"kind": "garbage"},
    {"kind": "truncated"},
    {"kind": "cut", "calls": 9},
    {"kind": "edit", "pattern": "assumed-role/Admin", "replacement": "assumed-role/Other"},
    {"kind": "edit", "pattern": "<Expiration>.*</Expiration>", "replacement": ""},
    {"kind": "edit", "pattern": "<SessionToken>", "replacement": "<SessionToken> "},
]


@pytest.mark.parametrize("fault_of", FAULTS, ids=lambda fault: fault["kind"])
def test_a_failure_shows_nothing(aws, double, everything, fault, fault_of):
    fault(**fault_of)
    with pytest.raises(Refusal) as failed:
        aws.assume(request())
    text = said(everything) + "".join(traceback.format_exception(failed.value)) + failed.value.detail
    assert double.broker.secret_access_key not in text
    assert "<SecretAccessKey>" not in text and "gAAAA" not in text  # how the double's tokens begin


def test_a_refusal_that_quotes_the_signed_request_is_not_repeated(aws, double, environment, everything):
    own = aws.assume(request("arn:aws:iam::111122223333:role/Hub"))
    environment.setenv("AWS_ACCESS_KEY_ID", own.access_key_id)
    environment.setenv("AWS_SECRET_ACCESS_KEY", "planted-secret-that-is-wrong")
    environment.setenv("AWS_SESSION_TOKEN", own.session_token)
    with pytest.raises(Refusal) as refused:
        make(double).assume(sandbox(hops=()))
    assert "SignatureDoesNotMatch" in refused.value.detail
    assert "Canonical String" not in refused.value.detail
    text = said(everything) + "".join(traceback.format_exception(refused.value))
    assert own.session_token not in text and "planted-secret" not in text


def test_a_refusal_that_quotes_the_external_id_is_not_repeated(aws, fault):
    message = "External ID sandbox-7c1f0d4e is wrong"
    fault(
        "answer",
        status=403,
        body='<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error>'
        f"<Code>AccessDenied</Code><Message>{message}</Message></Error></ErrorResponse>",
    )
    with pytest.raises(Refusal) as refused:
        aws.assume(sandbox(hops=()))
    assert "sandbox-7c1f0d4e" not in refused.value.detail
    assert "External ID … is wrong" in refused.value.detail


def test_a_key_with_a_line_break_is_sent_nowhere(double, environment):
    environment.setenv("AWS_ACCESS_KEY_ID", "AKIA\r\nX-Evil: 1")
    environment.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with pytest.raises(Refusal):
        make(double).assume(request())
    assert double.log.calls() == []


def test_secrets_never_go_over_plain_http_to_another_machine():
    with pytest.raises(Refusal):
        Aws(Endpoint("aws", ("eu-west-1",), None, "http://10.0.0.1:8090"))
