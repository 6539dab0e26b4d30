"""AssumeRole, honest: what is asked arrives, and what comes back works with a stock AWS SDK."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from app.aws import Aws
from app.aws.chain import Keys
from app.aws.chaining import Step
from app.aws.signing import signed
from app.aws.sts import assumed_role_arn, form
from app.errors import RequestNotPossible, Unavailable
from app.model import Endpoint
from tests.aws.builders import ADMIN, DEVELOPER, HUB, READ_ONLY, request, role, sandbox
from tests.aws.conftest import make

POLICY = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}'


def last(double):
    return [call for call in double.log.calls() if call["action"] == "AssumeRole"][-1]


def test_the_credentials_work_with_a_stock_sdk(aws, stock):
    credentials = aws.assume(request())
    identity = stock(credentials).get_caller_identity()
    assert identity["Arn"] == "arn:aws:sts::111122223333:assumed-role/Admin/ana-5d41402a"
    assert identity["Account"] == credentials.account == "111122223333"


def test_everything_that_was_asked_arrives(aws, double):
    aws.assume(
        request(
            seconds=1234,
            tags={"CostCenter": "42 Köln", "team": ""},
            policy=POLICY,
            policy_arns=("arn:aws:iam::aws:policy/ReadOnlyAccess", "arn:aws:iam::111122223333:policy/x"),
        )
    )
    call = last(double)
    assert call["role"] == ADMIN
    assert call["session_name"] == "ana-5d41402a"
    assert call["source_identity"] == "corp.ana"
    assert call["duration"] == 1234
    assert call["tags"] == {"CostCenter": "42 Köln", "team": ""}
    assert call["policy"] == POLICY
    assert call["policy_arns"] == [
        "arn:aws:iam::aws:policy/ReadOnlyAccess",
        "arn:aws:iam::111122223333:policy/x",
    ]


@pytest.mark.parametrize("seconds", [900, 3600])
def test_the_credentials_live_as_long_as_was_asked(aws, seconds):
    credentials = aws.assume(request(seconds=seconds))
    left = credentials.expiration - datetime.now(UTC)
    assert timedelta(seconds=seconds - 10) < left <= timedelta(seconds=seconds)


def test_a_long_term_key_gives_credentials_that_are_not_chained(aws):
    assert aws.assume(request()).chained is False


def test_hops_are_gone_through_in_order_and_as_short_as_possible(aws, double, stock):
    credentials = aws.assume(sandbox(seconds=3600, tags={"team": "web"}))
    hop, end = (call for call in double.log.calls() if call["action"] == "AssumeRole")
    assert (hop["role"], hop["duration"], hop["tags"], hop["source_identity"]) == (HUB, 900, {}, "corp.ana")
    assert (end["role"], end["duration"], end["tags"]) == (DEVELOPER, 3600, {"team": "web"})
    assert end["source_identity"] == "corp.ana"
    assert end["chained"] is True and end["external_id"] is True
    assert credentials.chained is True and credentials.account == "444455556666"
    assert stock(credentials).get_caller_identity()["Account"] == "444455556666"


def test_a_broker_on_temporary_credentials_gives_chained_ones(aws, double, environment):
    own = aws.assume(request(HUB, source_identity="corp.broker"))
    environment.setenv("AWS_ACCESS_KEY_ID", own.access_key_id)
    environment.setenv("AWS_SECRET_ACCESS_KEY", own.secret_access_key)
    environment.setenv("AWS_SESSION_TOKEN", own.session_token)
    credentials = make(double).assume(
        sandbox(hops=(), source_identity="corp.broker", seconds=3600)  # what the broker has cannot change
    )
    assert credentials.chained is True


def test_a_chained_request_never_asks_for_more_than_an_hour(aws, double):
    aws.assume(sandbox(seconds=7200))
    assert last(double)["duration"] == 3600


def test_an_unchained_request_may_ask_for_what_the_role_allows(aws, double):
    aws.assume(request(READ_ONLY, seconds=7200))
    assert last(double)["duration"] == 7200


def test_connections_are_kept(aws, double):
    before = double.connections
    aws.warm()
    for _ in range(5):
        aws.assume(request())
    assert double.connections == before + 1


def test_many_threads_share_one_object(aws, double):
    before = double.connections
    with ThreadPoolExecutor(8) as pool:
        issued = list(pool.map(lambda n: aws.assume(request(session_name=f"ana-{n:08}")), range(40)))
    assert len({credentials.access_key_id for credentials in issued}) == 40
    assert double.connections - before <= 8


def test_a_role_of_another_partition_is_refused_before_anything_is_sent(aws, double):
    with pytest.raises(RequestNotPossible):
        aws.assume(request("arn:aws-cn:iam::111122223333:role/Admin"))
    assert double.log.calls() == []


def test_a_role_with_a_path_is_the_one_that_was_asked_for():
    step = Step(role("arn:aws:iam::111122223333:role/team/web/Admin"), timedelta(seconds=900), "ana", "ana")
    assert assumed_role_arn(step) == "arn:aws:sts::111122223333:assumed-role/Admin/ana"


def captured(**parameters):
    """The request that stock boto3 sends for this."""
    client = boto3.client(
        "sts",
        region_name="eu-west-1",
        endpoint_url="http://127.0.0.1:9",
        aws_access_key_id="AKIAEXAMPLEEXAMPLE00",
        aws_secret_access_key="a-secret-that-nobody-uses",
        aws_session_token="a-token",
    )
    seen = []

    class Enough(Exception):
        pass

    def keep(request, **_):
        seen.append(request)
        raise Enough

    client.meta.events.register("before-send.sts.AssumeRole", keep)
    with pytest.raises(Enough):
        client.assume_role(**parameters)
    return seen[0]


def test_what_is_sent_equals_what_the_stock_sdk_sends():
    theirs = captured(
        RoleArn=DEVELOPER,
        RoleSessionName="ana",
        DurationSeconds=900,
        SourceIdentity="corp.ana",
        ExternalId="x/y:z",
        Policy=POLICY,
        PolicyArns=[{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}],
        Tags=[{"Key": "Cost Center", "Value": "é+&=/"}],
    )
    step = Step(
        role(DEVELOPER, external_id="x/y:z"),
        timedelta(seconds=900),
        "ana",
        "corp.ana",
        tags={"Cost Center": "é+&=/"},
        policy=POLICY,
        policy_arns=("arn:aws:iam::aws:policy/ReadOnlyAccess",),
    )
    body = theirs.body if isinstance(theirs.body, bytes) else theirs.body.encode()
    assert sorted(form(step).split(b"&")) == sorted(body.split(b"&"))


def test_the_signature_equals_the_one_of_the_stock_sdk():
    theirs = captured(RoleArn=ADMIN, RoleSessionName="ana")

    def text(name):
        value = theirs.headers[name]
        return value.decode() if isinstance(value, bytes) else value

    at = datetime.strptime(text("X-Amz-Date"), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    keys = Keys("AKIAEXAMPLEEXAMPLE00", "a-secret-that-nobody-uses", "a-token")
    body = theirs.body if isinstance(theirs.body, bytes) else theirs.body.encode()
    ours = signed(keys, "eu-west-1", "http://127.0.0.1:9/", body, at)
    assert ours["Authorization"] == text("Authorization")
    assert ours["X-Amz-Security-Token"] == "a-token"


@pytest.mark.parametrize(
    "endpoint",
    [
        Endpoint("aws-mars", ("eu-west-1",)),
        Endpoint("aws", ()),
        Endpoint("aws", ("evil.example/",)),
        Endpoint("aws", ("eu-west-1",), "ftp://127.0.0.1"),
        Endpoint("aws", ("eu-west-1",), "http://sts.example"),
        Endpoint("aws", ("eu-west-1",), "http://user@127.0.0.1"),
        Endpoint("aws", ("eu-west-1",), "http://127.0.0.1/path"),
        Endpoint("aws", ("eu-west-1",), "http://127.0.0.1", "http://console.example"),
    ],
    ids=lambda endpoint: str(endpoint)[:60],
)
def test_an_endpoint_that_cannot_be_is_refused_at_start(endpoint):
    with pytest.raises(Unavailable):
        Aws(endpoint)


def test_every_partition_can_be_configured():
    for partition, region in [
        ("aws", "eu-west-1"),
        ("aws-us-gov", "us-gov-west-1"),
        ("aws-cn", "cn-north-1"),
    ]:
        Aws(Endpoint(partition, (region,)))
