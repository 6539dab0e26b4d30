"""Session policies: what IAM refuses when they are handed in."""

import json

import pytest

from demo.aws.documents import parse
from demo.aws.wire import Rejected

HONEST = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}


def document(statement=None, **more):
    return json.dumps({"Version": "2012-10-17", "Statement": statement or HONEST, **more})


@pytest.mark.parametrize(
    "text",
    [
        document(),
        document([HONEST, HONEST]),
        document(Id="x"),
        json.dumps({"Statement": HONEST}),
        document({**HONEST, "Sid": "A1"}),
        document({**HONEST, "Action": ["s3:*", "*"]}),
        document({"Effect": "Deny", "NotAction": "s3:*", "NotResource": ["*"]}),
        document({**HONEST, "Condition": {}}),
        document({**HONEST, "Condition": {"Bool": {"aws:SecureTransport": True}}}),
        document({**HONEST, "Condition": {"ForAnyValue:StringLikeIfExists": {"aws:TagKeys": ["a", "b"]}}}),
        document({**HONEST, "Condition": {"Null": {"aws:TokenIssueTime": "false"}}}),
        document({**HONEST, "Resource": "arn:aws:sqs"[:-4] + ":sqs:*:*:q"}),
    ],
)
def test_documents_that_iam_takes(text):
    assert parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "5",
        "{}",
        "[" * 100_000,
        '{"Statement": [{"Effect": "Deny", "Effect": "Allow", "Action": "*", "Resource": "*"}]}',
        document(Extra=1),
        document(Version="2012-10-18"),
        json.dumps({"Version": "2012-10-17"}),
        json.dumps({"Statement": []}),
        json.dumps({"Statement": "x"}),
        document([HONEST, 5]),
        document({**HONEST, "Effect": "allow"}),
        document({"Action": "s3:*", "Resource": "*"}),
        document({**HONEST, "NotAction": "s3:*"}),
        document({"Effect": "Allow", "Resource": "*"}),
        document({"Effect": "Allow", "Action": "s3:*"}),
        document({**HONEST, "Action": []}),
        document({**HONEST, "Action": [["s3:*"]]}),
        document({**HONEST, "Action": "GetObject"}),
        document({**HONEST, "Action": "s3:Get:Object"}),
        document({**HONEST, "Resource": "bucket"}),
        document({**HONEST, "Resource": "arn:moon:s3:::b"}),
        document({**HONEST, "Principal": "*"}),
        document({**HONEST, "NotPrincipal": "*"}),
        document({**HONEST, "Sid": "a b"}),
        document([{**HONEST, "Sid": "A"}, {**HONEST, "Sid": "A"}]),
        document({**HONEST, "Condition": []}),
        document({**HONEST, "Condition": {"StringEqual": {"a": "b"}}}),
        document({**HONEST, "Condition": {"StringEquals": "b"}}),
        document({**HONEST, "Condition": {"StringEquals": {"a": {"b": "c"}}}}),
        document({**HONEST, "Extra": 1}),
    ],
    ids=lambda text: text[:70],
)
def test_documents_that_iam_refuses(text):
    with pytest.raises(Rejected) as refused:
        parse(text)
    assert refused.value.code == "MalformedPolicyDocument"
