"""A double for all tests of this room, and an SDK environment that knows its key and nothing else."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from app.aws import Aws
from app.model import Endpoint
from demo.aws import Double, serve
from demo.aws.faults import Fault

SDK = boto3.Session()


@pytest.fixture(scope="session")
def running() -> Iterator[Double]:
    with serve() as double:
        yield double


@pytest.fixture
def double(running: Double) -> Iterator[Double]:
    running.faults.clear()
    running.log.clear()
    yield running
    running.faults.clear()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """No AWS set-up of this machine, no metadata service."""
    for name in [name for name in os.environ if name.startswith("AWS_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "aws-credentials"))
    return monkeypatch


@pytest.fixture
def keys(environment: pytest.MonkeyPatch, double: Double) -> Double:
    """The broker's long-term key in the environment."""
    environment.setenv("AWS_ACCESS_KEY_ID", double.broker.access_key_id)
    environment.setenv("AWS_SECRET_ACCESS_KEY", double.broker.secret_access_key)
    return double


@pytest.fixture
def aws(keys: Double) -> Aws:
    return make(keys)


def make(double: Double, **changes: Any) -> Aws:
    endpoint = Endpoint("aws", ("eu-west-1", "eu-central-1"), double.url, double.url)
    return Aws(
        endpoint, **{"timeout": 3.0, **changes}
    )  # the SDK's chain alone takes a second where others work


@pytest.fixture
def stock(double: Double, environment: pytest.MonkeyPatch) -> Callable[[Any], Any]:
    """A stock boto3 STS client with given credentials, on a machine without AWS set-up."""

    def client(credentials: Any) -> Any:
        environment.delenv("AWS_PROFILE", raising=False)
        return SDK.client(
            "sts",
            region_name="eu-west-1",
            endpoint_url=double.url,
            aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key,
            aws_session_token=getattr(credentials, "session_token", None),
        )

    return client


@pytest.fixture
def fault(double: Double) -> Callable[..., None]:
    """Switch a fault of the double on, for AssumeRole unless said."""

    def switch(kind: str, action: str = "AssumeRole", **more: Any) -> None:
        double.faults.add(Fault(kind, action=action, **more))

    return switch


@pytest.fixture
def assuming(environment: pytest.MonkeyPatch, double: Double, tmp_path: Path) -> Callable[[str], None]:
    """The SDK's configuration on a host where the broker itself runs on an assumed role."""

    def configure(role_name: str) -> None:
        (tmp_path / "aws-credentials").write_text(
            f"[key]\naws_access_key_id = {double.broker.access_key_id}\n"
            f"aws_secret_access_key = {double.broker.secret_access_key}\n"
        )
        (tmp_path / "aws-config").write_text(
            f"[profile broker]\nrole_arn = arn:aws:iam::111122223333:role/{role_name}\n"
            "source_profile = key\nrole_session_name = broker\n"
        )
        environment.setenv("AWS_PROFILE", "broker")
        environment.setenv("AWS_ENDPOINT_URL_STS", double.url)

    return configure
