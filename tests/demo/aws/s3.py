"""The shipped bucket with people of an app: each with the session policy that the broker would send."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from botocore.config import Config
from botocore.exceptions import ClientError

from app.policy import resolve
from demo.aws import Clock, Double, serve
from tests.demo.aws.conftest import SDK

ROLE: Final = "arn:aws:iam::444455556666:role/AppUploads"
BUCKET: Final = "app-uploads"
OWN_FOLDER: Final = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "OwnFolder",
                "Effect": "Allow",
                "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
                "Resource": "arn:aws:s3:::app-uploads/${daypass:identity-id}/*",
            },
            {
                "Sid": "ListOwnFolder",
                "Effect": "Allow",
                "Action": "s3:ListBucket",
                "Resource": "arn:aws:s3:::app-uploads",
                "Condition": {"StringLike": {"s3:prefix": "${daypass:identity-id}/*"}},
            },
        ],
    }
)


def own_folder(identity: str) -> str:
    """The session policy of one identity."""
    return resolve(OWN_FOLDER, {"daypass:identity-id": identity})


@contextmanager
def shipped_double(clock: Clock | None = None) -> Iterator[Double]:
    """A double with the shipped accounts."""
    with serve(clock=clock) as double:
        yield double


def keys(double: Double, **parameters: Any) -> dict[str, Any]:
    """Credentials of the role for apps, from STS."""
    sts = SDK.client(
        "sts",
        region_name="eu-west-1",
        endpoint_url=double.url,
        aws_access_key_id=double.broker.access_key_id,
        aws_secret_access_key=double.broker.secret_access_key,
    )
    given = {"RoleArn": ROLE, "RoleSessionName": "photo-app", "SourceIdentity": "app-7f3a", **parameters}
    found: dict[str, Any] = sts.assume_role(**given)["Credentials"]
    return found


class Person:
    """A stock boto3 with the credentials of one identity."""

    def __init__(self, double: Double, identity: str, *, policy: str | None = None, **options: Any) -> None:
        """`policy` instead of the identity's own folder; "" for none. `options` go to the SDK's Config."""
        chosen = own_folder(identity) if policy is None else policy
        self.identity = identity
        self.keys = keys(double, **({"Policy": chosen} if chosen else {}))
        self.sdk = client(double, self.keys, **options)

    def put(self, key: str, body: bytes = b"picture", **parameters: Any) -> Any:
        return self.sdk.put_object(Bucket=BUCKET, Key=key, Body=body, **parameters)

    def get(self, key: str) -> bytes:
        body: bytes = self.sdk.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return body

    def names(self, **parameters: Any) -> list[str]:
        found = self.sdk.list_objects_v2(Bucket=BUCKET, **parameters)
        return [each["Key"] for each in found.get("Contents", [])]


def client(double: Double, found: dict[str, Any], region: str = "eu-west-1", **options: Any) -> Any:
    """A stock S3 client."""
    return SDK.client(
        "s3",
        region_name=region,
        endpoint_url=double.url,
        aws_access_key_id=found["AccessKeyId"],
        aws_secret_access_key=found["SecretAccessKey"],
        aws_session_token=found["SessionToken"],
        config=Config(
            signature_version="s3v4",
            retries={"total_max_attempts": 1},
            s3={"addressing_style": "path"},
            **options,
        ),
    )


def refusal(call: Any, *arguments: Any, **parameters: Any) -> str:
    """`STATUS Code: message` of the refusal."""
    try:
        call(*arguments, **parameters)
    except ClientError as error:
        found = error.response
        status = found["ResponseMetadata"]["HTTPStatusCode"]
        return f"{status} {found['Error']['Code']}: {found['Error']['Message']}"
    raise AssertionError("it was allowed")
