"""A double with accounts of its own: roles whose trust policies each ask for something."""

import hashlib
import os
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from demo.aws import Double, serve
from demo.aws.accounts import parse

SDK = boto3.Session()
USER = "arn:aws:iam::111122223333:user/daypass"
ALL = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]


def arn(name: str, account: str = "111122223333") -> str:
    return f"arn:aws:iam::{account}:role/{name}"


def trust(principal: Any, action: Any = None, **more: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": action or ALL, **more}
    return {"Version": "2012-10-17", "Statement": [statement]}


def grant(resource: str, action: Any = None, effect: str = "Allow", **more: Any) -> dict[str, Any]:
    statement = {"Effect": effect, "Action": action or ALL, "Resource": resource, **more}
    return {"Version": "2012-10-17", "Statement": statement}


FAR = "444455556666"
ROLES = [
    {"arn": arn("Plain"), "trust": trust(USER)},
    {"arn": arn("Long"), "trust": trust(USER), "max_session_duration": 43200},
    {"arn": arn("OnlyAssume"), "trust": trust(USER, "sts:AssumeRole")},
    {"arn": arn("Tagged"), "trust": trust(USER, ["sts:AssumeRole", "sts:TagSession"])},
    {"arn": arn("Account"), "trust": trust("111122223333")},
    {"arn": arn("AccountNotGranted"), "trust": trust("arn:aws:iam::111122223333:root")},
    {"arn": arn("Everyone"), "trust": trust("*")},
    {"arn": arn("Other"), "trust": trust("arn:aws:iam::111122223333:user/other")},
    {
        "arn": arn("Named"),
        "trust": trust(USER, Condition={"StringLike": {"sts:RoleSessionName": ["ana-*", "ben"]}}),
    },
    {
        "arn": arn("WithSource"),
        "trust": trust(USER, Condition={"StringEquals": {"sts:SourceIdentity": "corp.ana"}}),
    },
    {"arn": arn("WithTag"), "trust": trust(USER, Condition={"StringEquals": {"aws:RequestTag/Team": "web"}})},
    {
        "arn": arn("KnownTags"),
        "trust": trust(USER, Condition={"ForAllValues:StringEquals": {"aws:TagKeys": ["Team", "Cost"]}}),
    },
    {"arn": arn("Odd"), "trust": trust(USER, Condition={"NumericEquals": {"sts:RoleSessionName": "5"}})},
    {
        "arn": arn("Denied"),
        "trust": {
            "Version": "2012-10-17",
            "Statement": [
                *trust(USER)["Statement"],
                {
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "sts:*",
                    "Condition": {"StringNotLike": {"sts:RoleSessionName": "ana*"}},
                },
            ],
        },
    },
    {"arn": arn("Hub"), "trust": trust(USER), "policies": [grant(f"arn:aws:iam::{FAR}:role/*")]},
    {"arn": arn("Poor"), "trust": trust(USER)},
    {
        "arn": arn("Far", FAR),
        "trust": trust(
            [arn("Hub"), arn("Poor"), USER], Condition={"StringEquals": {"sts:ExternalId": "secret/1:2"}}
        ),
        "max_session_duration": 7200,
    },
    {"arn": arn("FarOpen", FAR), "trust": trust(arn("Hub"))},
    {"arn": arn("FarNoSource", FAR), "trust": trust(arn("Hub"), ["sts:AssumeRole", "sts:TagSession"])},
    {"arn": arn("FarNoTags", FAR), "trust": trust(arn("Hub"), ["sts:AssumeRole", "sts:SetSourceIdentity"])},
    {
        "arn": arn("FarForAna", FAR),
        "trust": trust(arn("Hub"), Condition={"StringEquals": {"aws:SourceIdentity": "corp.ana"}}),
    },
    {
        "arn": arn("FarForWeb", FAR),
        "trust": trust(arn("Hub"), Condition={"StringEquals": {"aws:PrincipalTag/Team": "web"}}),
    },
    {
        "arn": arn("FarForSession", FAR),
        "trust": trust("arn:aws:sts::111122223333:assumed-role/Hub/ana-1"),
    },
]
ACCOUNTS = parse(
    {
        "regions": ["eu-west-1", "us-east-1"],
        "broker": USER,
        "users": [
            {
                "arn": USER,
                "policies": [
                    grant(arn("Account")),
                    grant(arn("Everyone")),
                    grant(arn("Forbidden"), effect="Deny"),
                ],
            }
        ],
        "roles": [*ROLES, {"arn": arn("Forbidden"), "trust": trust(USER)}],
    }
)


@pytest.fixture(scope="session")
def running() -> Iterator[Double]:
    with serve(accounts=ACCOUNTS) as double:
        yield double


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No AWS set-up of this machine."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def double(running: Double) -> Iterator[Double]:
    running.faults.clear()
    running.log.clear()
    yield running
    running.faults.clear()


class Caller:
    """A key (and token) with a stock SDK, and with requests that are signed and then changed."""

    def __init__(self, double: Double, key: str, secret: str, token: str | None = None) -> None:
        self.double = double
        self.key, self.secret, self.token = key, secret, token
        self._client: Any = None

    @property
    def sdk(self) -> Any:
        if self._client is None:
            self._client = SDK.client(
                "sts",
                region_name="eu-west-1",
                endpoint_url=self.double.url,
                aws_access_key_id=self.key,
                aws_secret_access_key=self.secret,
                aws_session_token=self.token,
                config=Config(retries={"total_max_attempts": 1}),
            )
        return self._client

    def assume(self, role: str, name: str = "ana-1", **parameters: Any) -> "Caller":
        found = self.answer(role, name, **parameters)["Credentials"]
        return Caller(self.double, found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])

    def answer(self, role: str, name: str = "ana-1", **parameters: Any) -> Any:
        return self.sdk.assume_role(RoleArn=role, RoleSessionName=name, **parameters)

    def refused(self, role: str, name: str = "ana-1", **parameters: Any) -> str:
        """`Code: message` of the refusal."""
        with pytest.raises(ClientError) as refused:
            self.answer(role, name, **parameters)
        error = refused.value.response["Error"]
        return f"{error['Code']}: {error['Message']}"

    def prepared(
        self,
        body: str,
        *,
        method: str = "POST",
        path: str = "/",
        headers: dict[str, str] | None = None,
        region: str = "eu-west-1",
        service: str = "sts",
    ) -> Any:
        """A request signed by the SDK's signer, ready to be changed and sent."""
        fields = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"} if body else {}
        request = AWSRequest(
            method=method, url=f"{self.double.url}{path}", data=body, headers={**fields, **(headers or {})}
        )
        SigV4Auth(Credentials(self.key, self.secret, self.token), service, region).add_auth(request)
        return request

    def send(self, request: Any, **changes: Any) -> "Result":
        headers = {**dict(request.headers.items()), **changes.pop("headers", {})}
        headers = {name: value for name, value in headers.items() if value is not None}
        return Result(
            requests.request(
                changes.get("method", request.method),
                changes.get("url", request.url),
                data=changes.get("body", request.data),
                headers=headers,
                timeout=5,
            )
        )


class Result:
    """Status, and STS's error code and message if there is one."""

    def __init__(self, response: requests.Response) -> None:
        self.status = response.status_code
        self.text = response.text
        self.code = self._between("<Code>", "</Code>")
        self.message = self._between("<Message>", "</Message>")

    def _between(self, start: str, end: str) -> str:
        return self.text.partition(start)[2].partition(end)[0]


@pytest.fixture
def broker(double: Double) -> Caller:
    return Caller(double, double.broker.access_key_id, double.broker.secret_access_key)


def digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()
