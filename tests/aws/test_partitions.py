"""The table of partitions agrees with the SDK's own data."""

import boto3
import botocore.session
import pytest
from botocore.loaders import Loader

from app.aws.partitions import PARTITIONS, is_region

DATA = Loader().load_data("partitions")["partitions"]


def test_every_partition_of_the_sdk_is_known():
    assert set(PARTITIONS) == {row["id"] for row in DATA}


@pytest.mark.parametrize("row", DATA, ids=lambda row: row["id"])
def test_suffix_and_regions_agree(row):
    assert PARTITIONS[row["id"]].suffix == row["outputs"]["dnsSuffix"]
    for region in row["regions"]:
        if region != "aws-global" and not region.endswith("-global"):
            assert is_region(region), region


@pytest.mark.parametrize(
    ("partition", "region"),
    [
        ("aws", "eu-west-1"),
        ("aws", "us-east-1"),
        ("aws-cn", "cn-north-1"),
        ("aws-us-gov", "us-gov-west-1"),
        ("aws-eusc", "eusc-de-east-1"),
        ("aws-iso", "us-iso-east-1"),
        ("aws-iso-b", "us-isob-east-1"),
        ("aws-iso-e", "eu-isoe-west-1"),
        ("aws-iso-f", "us-isof-south-1"),
    ],
)
def test_the_sts_endpoint_is_the_one_that_the_sdk_uses(partition, region):
    client = boto3.client("sts", region_name=region, aws_access_key_id="a", aws_secret_access_key="b")
    assert client.meta.endpoint_url == PARTITIONS[partition].sts_url(region)


@pytest.mark.parametrize(
    ("partition", "signin", "console"),
    [
        ("aws", "signin.aws.amazon.com", "console.aws.amazon.com"),
        ("aws-us-gov", "signin.amazonaws-us-gov.com", "console.amazonaws-us-gov.com"),
        ("aws-cn", "signin.amazonaws.cn", "console.amazonaws.cn"),
    ],
)
def test_sign_in_and_console_hosts(partition, signin, console):
    row = PARTITIONS[partition]
    assert row.signin_url("eu-west-1") == f"https://eu-west-1.{signin}"
    assert row.is_console(console) and row.is_console(f"eu-west-1.{console}")
    assert not row.is_console(signin)


def test_every_region_of_the_sdk_has_the_form_of_a_region():
    session = botocore.session.Session()
    for partition in session.get_available_partitions():
        for region in session.get_available_regions("sts", partition, allow_non_regional=False):
            assert is_region(region)
