"""S3 with a stock SDK: one's own folder, nobody else's, and what S3 says about it."""

import gzip
import io
import json

import pytest
import requests

from demo.aws.faults import Fault
from demo.aws.s3 import objects
from tests.demo.aws.s3 import BUCKET, ROLE, Person, client, keys, own_folder, refusal, shipped_double


@pytest.fixture
def double():
    with shipped_double() as running:
        yield running


@pytest.fixture
def ana(double):
    return Person(double, "ana-7f3a")


@pytest.fixture
def ben(double):
    return Person(double, "ben-91c0")


def test_everybody_has_their_own_folder(ana, ben):
    ana.put("ana-7f3a/cat.jpg", b"cat", ContentType="image/jpeg")
    ben.put("ben-91c0/dog.jpg", b"dog")
    assert ana.get("ana-7f3a/cat.jpg") == b"cat"
    assert ana.names(Prefix="ana-7f3a/") == ["ana-7f3a/cat.jpg"]
    assert ben.names(Prefix="ben-91c0/") == ["ben-91c0/dog.jpg"]
    head = ana.sdk.head_object(Bucket=BUCKET, Key="ana-7f3a/cat.jpg")
    assert (head["ContentLength"], head["ContentType"]) == (3, "image/jpeg")
    ana.sdk.delete_object(Bucket=BUCKET, Key="ana-7f3a/cat.jpg")
    assert ana.names(Prefix="ana-7f3a/") == []


def test_nobody_has_anybody_elses(ana, ben):
    ben.put("ben-91c0/dog.jpg", b"dog")
    for call, parameters in (
        (ana.sdk.get_object, {}),
        (ana.sdk.put_object, {"Body": b"not yours"}),
        (ana.sdk.delete_object, {}),
    ):
        assert refusal(call, Bucket=BUCKET, Key="ben-91c0/dog.jpg", **parameters).startswith(
            "403 AccessDenied: User: arn:aws:sts::444455556666:assumed-role/AppUploads/photo-app is not authorized"
        )
    assert refusal(ana.sdk.head_object, Bucket=BUCKET, Key="ben-91c0/dog.jpg").startswith("403")
    assert ben.get("ben-91c0/dog.jpg") == b"dog"


def test_a_refusal_names_the_action_the_object_and_the_policy_that_did_not_allow(ana):
    said = refusal(ana.put, "ben-91c0/x")
    assert said.endswith(
        'is not authorized to perform: s3:PutObject on resource: "arn:aws:s3:::app-uploads/ben-91c0/x" '
        "because no session policy allows the s3:PutObject action"
    )


@pytest.mark.parametrize("key", ["ana-7f3a", "ana-7f3aX/x", "x/ana-7f3a/x", "ANA-7f3a/x", "/ana-7f3a/x"])
def test_folders_that_only_look_like_ones_own(ana, key):
    assert refusal(ana.put, key).startswith("403 AccessDenied")


def test_dots_in_a_key_are_letters_not_steps(double, ana, ben):
    ben.put("ben-91c0/x", b"secret")
    ana.put("ana-7f3a/../ben-91c0/x", b"mine")
    assert ben.get("ben-91c0/x") == b"secret"
    assert ana.get("ana-7f3a/../ben-91c0/x") == b"mine"


@pytest.mark.parametrize("identity", ["*", "a*", "?", "${aws:userid}", "$", "a'b\"c", "é"])
def test_an_identity_that_is_a_pattern_elsewhere_is_a_name_here(double, identity):
    person = Person(double, identity)
    person.put(f"{identity}/x")
    assert person.names(Prefix=f"{identity}/") == [f"{identity}/x"]
    for other in ("ana-7f3a/x", "a/x", "ab/x", "AROA/x"):
        assert refusal(person.put, other).startswith("403 AccessDenied")
        assert refusal(person.names, Prefix=other).startswith("403 AccessDenied")


@pytest.mark.parametrize("prefix", ["", "ben-91c0/", "ana-7f3a", "a", None])
def test_only_ones_own_prefix_may_be_listed(ana, prefix):
    given = {} if prefix is None else {"Prefix": prefix}
    assert "s3:ListBucket on resource" in refusal(ana.names, **given)


def test_what_is_not_there_is_only_told_to_who_may_list_the_bucket(double, ana):
    assert refusal(ana.get, "ana-7f3a/none").startswith("403 AccessDenied")
    whole = Person(double, "", policy="")
    assert refusal(whole.get, "ana-7f3a/none").startswith("404 NoSuchKey")


def test_without_a_session_policy_the_role_has_the_bucket_and_nothing_else(double, ana):
    ana.put("ana-7f3a/x")
    whole = Person(double, "", policy="")
    assert whole.names() == ["ana-7f3a/x"]
    wide = json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    )
    assert Person(double, "", policy=wide).names() == ["ana-7f3a/x"]
    narrow = wide.replace('"Action": "*"', '"Action": "sts:*"')
    assert "no session policy allows" in refusal(Person(double, "", policy=narrow).names)
    denied = wide.replace("Allow", "Deny")
    assert "with an explicit deny in a session policy" in refusal(Person(double, "", policy=denied).names)


def test_managed_session_policies(double):
    for name, allowed in (("AmazonS3FullAccess", True), ("ReadOnlyAccess", False)):
        found = keys(double, PolicyArns=[{"arn": f"arn:aws:iam::aws:policy/{name}"}])
        sdk = client(double, found)
        if allowed:
            sdk.list_objects_v2(Bucket=BUCKET)
        else:
            assert "no session policy allows" in refusal(sdk.list_objects_v2, Bucket=BUCKET)


def test_other_accounts_roles_and_the_brokers_own_key_have_no_way_in(double):
    found = keys(double, RoleArn="arn:aws:iam::111122223333:role/Admin")
    assert "no resource-based policy allows" in refusal(client(double, found).list_objects_v2, Bucket=BUCKET)
    sdk = client(
        double,
        {
            "AccessKeyId": double.broker.access_key_id,
            "SecretAccessKey": double.broker.secret_access_key,
            "SessionToken": None,
        },
    )
    assert refusal(sdk.list_objects_v2, Bucket=BUCKET).startswith("403 AccessDenied")


def test_a_session_policy_of_more_than_2048_characters_is_refused_by_sts(double):
    fits = own_folder("x") + " " * (2048 - len(own_folder("x")))
    assert Person(double, "x", policy=fits)
    assert "length less than or equal to 2048" in refusal(keys, double, Policy=fits + " ")


def test_a_listing_by_prefix_delimiter_and_pages(double):
    whole = Person(double, "", policy="")
    for key in ("a/1", "a/2", "a/b/3", "a/b/4", "a/c/5", "b/6", "a/é", "a/&<>"):
        whole.put(key)
    assert whole.names(Prefix="a/") == ["a/&<>", "a/1", "a/2", "a/b/3", "a/b/4", "a/c/5", "a/é"]
    found = whole.sdk.list_objects_v2(Bucket=BUCKET, Prefix="a/", Delimiter="/")
    assert [each["Key"] for each in found["Contents"]] == ["a/&<>", "a/1", "a/2", "a/é"]
    assert [each["Prefix"] for each in found["CommonPrefixes"]] == ["a/b/", "a/c/"]
    assert whole.names(StartAfter="a/b/4") == ["a/c/5", "a/é", "b/6"]
    pages = whole.sdk.get_paginator("list_objects_v2").paginate(
        Bucket=BUCKET, Delimiter="/", Prefix="a/", PaginationConfig={"PageSize": 1}
    )
    seen = []
    for page in pages:
        assert page["KeyCount"] == 1
        seen += [each["Key"] for each in page.get("Contents", [])]
        seen += [each["Prefix"] for each in page.get("CommonPrefixes", [])]
    assert seen == ["a/&<>", "a/1", "a/2", "a/b/", "a/c/", "a/é"]
    assert whole.sdk.list_objects_v2(Bucket=BUCKET, MaxKeys=0)["KeyCount"] == 0


def test_what_comes_with_an_object_comes_back(ana):
    ana.put(
        "ana-7f3a/x",
        gzip.compress(b"text"),
        ContentType="text/plain",
        ContentEncoding="gzip",
        CacheControl="no-cache",
        Metadata={"name": "Cat"},
    )
    found = ana.sdk.get_object(Bucket=BUCKET, Key="ana-7f3a/x")
    assert (found["ContentType"], found["ContentEncoding"], found["CacheControl"]) == (
        "text/plain",
        "gzip",
        "no-cache",
    )
    assert found["Metadata"] == {"name": "Cat"}
    assert gzip.decompress(found["Body"].read()) == b"text"


@pytest.mark.parametrize("key", ["ana-7f3a/a b+c%25&=?#", "ana-7f3a/é/ü", "ana-7f3a/(1)'!*~", "ana-7f3a//"])
def test_keys_of_any_letters(ana, key):
    ana.put(key, b"x")
    assert ana.get(key) == b"x"
    assert ana.names(Prefix="ana-7f3a/") == [key]


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_checksums_are_checked_kept_and_given_back(ana, algorithm):
    put = ana.put("ana-7f3a/x", b"picture", ChecksumAlgorithm=algorithm)
    assert put[f"Checksum{algorithm}"]
    found = ana.sdk.get_object(Bucket=BUCKET, Key="ana-7f3a/x")
    assert found[f"Checksum{algorithm}"] == put[f"Checksum{algorithm}"]
    assert found["Body"].read() == b"picture"
    said = refusal(ana.put, "ana-7f3a/x", b"other", **{f"Checksum{algorithm}": put[f"Checksum{algorithm}"]})
    assert said.startswith("400 BadDigest")


def test_a_stream_is_uploaded_too(ana):
    ana.sdk.upload_fileobj(io.BytesIO(b"x" * 100_000), BUCKET, "ana-7f3a/stream")
    assert len(ana.get("ana-7f3a/stream")) == 100_000


def test_there_is_a_limit_on_everything(double, ana, monkeypatch):
    assert ana.put("ana-7f3a/x", b"x" * objects.LARGEST)
    assert refusal(ana.put, "ana-7f3a/x", b"x" * (objects.LARGEST + 1)).startswith("400 EntityTooLarge")
    assert refusal(ana.put, "ana-7f3a/x", b"x" * (objects.LARGEST + 200_000)).startswith("400 EntityTooLarge")
    assert refusal(ana.put, "ana-7f3a/" + "x" * 1024).startswith("400 KeyTooLongError")
    monkeypatch.setattr(objects, "MOST", 2)
    ana.put("ana-7f3a/y", b"y")
    assert refusal(ana.put, "ana-7f3a/z").startswith("400 DoubleIsFull")
    ana.put("ana-7f3a/y", b"in its own place")
    monkeypatch.setattr(objects, "ROOM", 100)
    assert refusal(ana.put, "ana-7f3a/y").startswith("400 DoubleIsFull")


def test_what_is_not_here_is_said_not_pretended(double):
    whole = Person(double, "", policy="")
    whole.put("a")
    for said in (
        refusal(whole.sdk.list_objects, Bucket=BUCKET),
        refusal(whole.sdk.get_bucket_location, Bucket=BUCKET),
        refusal(whole.sdk.create_multipart_upload, Bucket=BUCKET, Key="a"),
        refusal(whole.sdk.copy_object, Bucket=BUCKET, Key="b", CopySource=f"{BUCKET}/a"),
        refusal(whole.sdk.put_object, Bucket=BUCKET, Key="a", Body=b"", IfNoneMatch="*"),
        refusal(whole.sdk.put_object, Bucket=BUCKET, Key="a", Body=b"", ACL="public-read"),
        refusal(whole.sdk.get_object, Bucket=BUCKET, Key="a", VersionId="1"),
        refusal(whole.sdk.put_object_tagging, Bucket=BUCKET, Key="a", Tagging={"TagSet": []}),
    ):
        assert said.startswith("501 NotImplemented")
    assert refusal(whole.sdk.list_objects_v2, Bucket="another-bucket").startswith("404 NoSuchBucket")
    assert whole.get("a") == b"picture"


def test_a_fault_is_answered_in_s3s_form_and_once(double, ana):
    double.faults.add(Fault("throttle", action="PutObject"))
    assert refusal(ana.put, "ana-7f3a/x").startswith("400 Throttling")
    assert ana.put("ana-7f3a/x")


def test_calls_are_shown_without_secrets(double, ana):
    ana.put("ana-7f3a/x")
    refusal(ana.put, "ben-91c0/x")
    shown = requests.get(f"{double.url}/_double/requests", timeout=5)
    calls = [each for each in shown.json() if each["action"] == "PutObject"]
    assert [(each["status"], each["key"]) for each in calls] == [(200, "ana-7f3a/x"), (403, "ben-91c0/x")]
    assert (
        calls[0]["caller"].endswith("assumed-role/AppUploads/photo-app")
        and calls[1]["code"] == "AccessDenied"
    )
    for secret in (ana.keys["SecretAccessKey"], ana.keys["SessionToken"]):
        assert secret not in shown.text
    assert ROLE in shown.text
