"""STS is down, slow, or lies: nothing is given, soon, and the detail says why."""

import time

import pytest

from app.aws import Aws
from app.errors import StsFailed
from app.model import Endpoint
from demo.aws import serve
from demo.aws.accounts import parse
from demo.aws.faults import Fault
from tests.aws.builders import request, role
from tests.aws.conftest import make


def fails(aws, ask=None):
    with pytest.raises(StsFailed) as failed:
        aws.assume(ask or request())
    assert failed.value.code == "sts.failed"
    return failed.value.detail


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("error", "HTTP 500"),
        ("unavailable", "HTTP 503"),
        ("throttle", "Throttling"),
        ("garbage", "not XML"),
        ("truncated", "not XML"),
        ("cut", "ends in the middle"),
        ("drop", "no HTTP answer"),
    ],
)
def test_a_failure_of_sts_gives_nothing(aws, fault, kind, says):
    fault(kind, calls=9)
    assert says in fails(aws)


@pytest.mark.alone
@pytest.mark.parametrize("kind", ["slow", "drip"])
def test_a_slow_answer_is_waited_for_once_and_not_longer_than_the_time_out(keys, fault, kind):
    aws = make(keys, timeout=0.3)
    aws.assume(request())
    fault(kind, calls=9, seconds=2 if kind == "slow" else 0.1)
    began = time.monotonic()
    assert "no whole answer in time" in fails(aws)
    assert time.monotonic() - began < 1
    assert keys.log.counters()["AssumeRole"] == 2


@pytest.mark.alone
def test_hops_share_one_deadline(environment):
    user, loop = "arn:aws:iam::111122223333:user/daypass", "arn:aws:iam::111122223333:role/Loop"
    statement = {"Effect": "Allow", "Principal": {"AWS": [user, loop]}, "Action": "sts:*"}
    trust = {"Version": "2012-10-17", "Statement": statement}
    accounts = parse(
        {
            "regions": ["eu-west-1"],
            "broker": user,
            "users": [{"arn": user}],
            "roles": [{"arn": loop, "trust": trust}],
        }
    )
    with serve(accounts=accounts) as double:
        environment.setenv("AWS_ACCESS_KEY_ID", double.broker.access_key_id)
        environment.setenv("AWS_SECRET_ACCESS_KEY", double.broker.secret_access_key)
        aws = make(double, timeout=0.4)
        ask = request(loop, hops=(role(loop),) * 4)
        assert aws.assume(ask).chained
        double.faults.add(Fault("slow", calls=9, seconds=0.3))
        began = time.monotonic()
        fails(aws, ask)
        assert time.monotonic() - began < 1.2
        assert double.log.counters()["AssumeRole"] == 5 + 3


@pytest.mark.parametrize("kind", ["error", "unavailable", "drop", "cut"])
def test_one_failure_is_ridden_out(aws, double, fault, kind):
    fault(kind, calls=1)
    assert aws.assume(request()).access_key_id
    assert double.log.counters()["AssumeRole"] == 2


def test_sts_that_is_not_there(keys):
    aws = Aws(Endpoint("aws", ("eu-west-1",), "http://127.0.0.1:9"), timeout=0.5)
    assert "no connection to 127.0.0.1" in fails(aws)


def test_a_redirect_is_not_followed(aws, double, fault):
    fault("answer", status=307, location=f"{double.url}/elsewhere", calls=9)
    assert "HTTP 307" in fails(aws)
    assert double.log.counters()["AssumeRole"] == 1


def test_an_endless_answer_is_cut_off(aws, fault):
    fault("answer", body="x" * 100_000, calls=9)
    assert "longer than 65536 bytes" in fails(aws)


def test_after_a_failure_the_next_ask_works(aws, fault):
    fault("garbage")
    fails(aws)
    assert aws.assume(request()).access_key_id


ARN = "assumed-role/Admin/ana-5d41402a"


@pytest.mark.parametrize(
    ("pattern", "replacement", "says"),
    [
        (ARN, "assumed-role/ReadOnly/ana-5d41402a", "another role"),
        (ARN, "assumed-role/Admin/ben-5d41402a", "another role or session"),
        ("sts::111122223333", "sts::444455556666", "another role"),
        ("arn:aws:sts", "arn:aws-cn:sts", "another role"),
        ("<SourceIdentity>corp.ana", "<SourceIdentity>corp.ben", "another source identity"),
        ("<AccessKeyId>.*</AccessKeyId>", "", "no single AccessKeyId"),
        ("<SecretAccessKey>.*</SecretAccessKey>", "<SecretAccessKey/>", "no single SecretAccessKey"),
        ("<SessionToken>.*</SessionToken>", "", "no single SessionToken"),
        ("<Expiration>.*</Expiration>", "", "no single Expiration"),
        ("(<SessionToken>)(.*)(</SessionToken>)", r"\1\2\3\1\2\3", "no single SessionToken"),
        ("<SecretAccessKey>", "<SecretAccessKey>a<b/>", "no single SecretAccessKey"),
        ("<SecretAccessKey>", "<SecretAccessKey>a&#10;export x=1", "SecretAccessKey has a form"),
        ("<SessionToken>", "<SessionToken>a b", "SessionToken has a form"),
        ("<AccessKeyId>", "<AccessKeyId>$(id)", "AccessKeyId has a form"),
        ("<Expiration>.*</Expiration>", "<Expiration>soon</Expiration>", "not a time"),
        ("<Expiration>.*</Expiration>", "<Expiration>2126-01-01T00:00:00</Expiration>", "not in UTC"),
        ("<Expiration>.*</Expiration>", "<Expiration>2020-01-01T00:00:00Z</Expiration>", "is past"),
        ("<Expiration>.*</Expiration>", "<Expiration>2126-01-01T00:00:00Z</Expiration>", "later than"),
        ("AssumeRoleResponse", "AssumeRoleReply", "not an AssumeRoleResponse"),
        ("https://sts.amazonaws.com", "https://sts.example", "not an AssumeRoleResponse"),
        ("^", '<!DOCTYPE a [<!ENTITY b "c">]>', "document type"),
        ("^", '<!DOCTYPE a SYSTEM "file:///etc/hostname">', "document type"),
    ],
)
def test_an_answer_that_is_not_what_was_asked_for_is_not_believed(aws, fault, pattern, replacement, says):
    fault("edit", pattern=pattern, replacement=replacement)
    assert says in fails(aws)


def test_the_honest_twin_of_the_edited_answers_is_believed(aws, fault):
    fault("edit", pattern="nothing of this", replacement="x")
    assert aws.assume(request()).secret_access_key


def test_other_bytes_of_an_answer_never_give_anything_but_a_failure(aws, fault):
    for body in (
        "",
        "<",
        "\x00",
        "{}",
        "<a/>" * 3,
        "<?xml version='1.0' encoding='nope'?><a/>",
        "<a>" * 2000,
    ):
        fault("answer", body=body)
        fails(aws)
