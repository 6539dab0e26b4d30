"""AWS says no: one refusal, with AWS's code in the detail, asked once."""

import pytest

from app.errors import StsFailed, StsRefused
from tests.aws.builders import DEVELOPER, HUB, READ_ONLY, request, role, sandbox
from tests.aws.conftest import make

BROKEN = '{"Version":"2012-10-17","Statement":[{"Effect":"Maybe","Action":"*","Resource":"*"}]}'


@pytest.mark.parametrize(
    ("ask", "code"),
    [
        (request("arn:aws:iam::111122223333:role/Nobody"), "AccessDenied"),
        (request(DEVELOPER, external_id="sandbox-7c1f0d4e"), "AccessDenied"),
        (sandbox(external_id="of-another-tenant"), "AccessDenied"),
        (sandbox(external_id=None), "AccessDenied"),
        (request(seconds=899), "ValidationError"),
        (request(seconds=3601), "ValidationError"),
        (request(READ_ONLY, seconds=14401), "ValidationError"),
        (request(session_name="a"), "ValidationError"),
        (request(session_name="ana smith"), "ValidationError"),
        (request(source_identity="aws:ana"), "ValidationError"),
        (request(tags={"a": "<script>"}), "ValidationError"),
        (request(tags={"Team": "a", "team": "b"}), "InvalidParameterValue"),
        (request(policy=BROKEN), "MalformedPolicyDocument"),
        (request(policy='{"a":"' + "x" * 2048 + '"}'), "ValidationError"),
        (request(hops=(role("arn:aws:iam::111122223333:role/Nobody"),)), "AccessDenied"),
        (request(hops=(role(HUB),)), "AccessDenied"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_no_of_aws_is_a_refusal_with_its_code(aws, ask, code):
    with pytest.raises(StsRefused) as refused:
        aws.assume(ask)
    assert f" {code}: " in refused.value.detail
    assert refused.value.code == "sts.refused"


def answer(status, code, message="No."):
    body = (
        '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
        f"<Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
    )
    return {"kind": "answer", "status": status, "body": body}


@pytest.mark.parametrize(
    ("status", "code", "refusal"),
    [
        (400, "PackedPolicyTooLarge", StsRefused),
        (403, "RegionDisabledException", StsRefused),
        (400, "ExpiredTokenException", StsRefused),
        (403, "ExpiredToken", StsRefused),
        (403, "InvalidClientTokenId", StsRefused),
        (400, "SomethingNew", StsRefused),
        (400, "Throttling", StsFailed),
        (400, "RequestLimitExceeded", StsFailed),
        (429, "TooManyRequestsException", StsFailed),
        (302, "AccessDenied", StsFailed),
        (403, "Not a code", StsFailed),
    ],
)
def test_what_is_a_no_and_what_a_failure(aws, double, fault, status, code, refusal):
    fault(**answer(status, code))
    with pytest.raises(refusal) as refused:
        aws.assume(request())
    assert type(refused.value) is refusal
    assert double.log.counters()["AssumeRole"] == 1


def test_a_no_is_never_asked_again_elsewhere(aws, double):
    with pytest.raises(StsRefused):
        aws.assume(request("arn:aws:iam::111122223333:role/Nobody"))
    assert double.log.counters() == {"AssumeRole": 1, "AssumeRole 403": 1}


def test_a_forged_signature_is_a_refusal(double, environment):
    environment.setenv("AWS_ACCESS_KEY_ID", double.broker.access_key_id)
    environment.setenv("AWS_SECRET_ACCESS_KEY", "not-the-secret-of-this-key")
    with pytest.raises(StsRefused) as refused:
        make(double).assume(request())
    assert "SignatureDoesNotMatch" in refused.value.detail


def test_the_words_of_aws_are_one_short_line(aws, fault):
    fault(**answer(400, "ValidationError", "a\nb\u202ec\x85d" + "x" * 5000))
    with pytest.raises(StsRefused) as refused:
        aws.assume(request())
    detail = refused.value.detail
    assert detail.isprintable() and len(detail) < 600
    assert "a b\ufffdc" in detail


def test_a_rotated_key_is_picked_up_after_a_refusal(double, environment):
    environment.setenv("AWS_ACCESS_KEY_ID", "AKIAOLDOLDOLDOLDOLD0")
    environment.setenv("AWS_SECRET_ACCESS_KEY", "the-old-secret-that-is-gone")
    aws = make(double)
    with pytest.raises(StsRefused, match="InvalidClientTokenId"):
        aws.assume(request())
    environment.setenv("AWS_ACCESS_KEY_ID", double.broker.access_key_id)
    environment.setenv("AWS_SECRET_ACCESS_KEY", double.broker.secret_access_key)
    assert aws.assume(request()).access_key_id
