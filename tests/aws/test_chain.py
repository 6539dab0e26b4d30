"""The broker's own credentials: the SDK's chain, with a deadline, and nothing but the chain."""

import sys
import time
from pathlib import Path

import pytest

from app.aws import Aws
from app.aws.chain import Chain
from app.aws.deadline import Deadline
from app.errors import StsFailed
from app.model import Endpoint
from tests.aws.builders import request
from tests.aws.conftest import make


def keys_of(timeout=1.0, seconds=3.0):
    return Chain("eu-west-1", timeout=timeout).keys(Deadline.after(seconds))


def failure(**changes):
    with pytest.raises(StsFailed) as failed:
        keys_of(**changes)
    return failed.value.detail


def config(tmp_path, text):
    (tmp_path / "aws-config").write_text(text)


def process(tmp_path, code, monkeypatch):
    """A profile whose credentials come from a process."""
    script = tmp_path / "process.py"
    script.write_text(code)
    config(tmp_path, f"[profile p]\ncredential_process = {sys.executable} {script}\n")
    monkeypatch.setenv("AWS_PROFILE", "p")


def test_the_environment_is_read(environment):
    environment.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLEEXAMPLE00")
    environment.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert keys_of().access_key_id == "AKIAEXAMPLEEXAMPLE00"
    assert keys_of().temporary is False
    environment.setenv("AWS_SESSION_TOKEN", "token")
    assert keys_of().temporary is True


def test_a_profile_of_the_shared_files_is_read(environment, tmp_path):
    (tmp_path / "aws-credentials").write_text(
        "[p]\naws_access_key_id = AKIAFILE\naws_secret_access_key = s\n"
    )
    environment.setenv("AWS_PROFILE", "p")
    assert keys_of().access_key_id == "AKIAFILE"


def test_no_credentials_at_all_says_where_was_looked():
    assert "found no credentials" in failure()


def test_a_key_without_its_secret(environment):
    environment.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLEEXAMPLE00")
    assert "PartialCredentialsError" in failure()


def test_a_profile_that_does_not_exist_is_named(environment):
    environment.setenv("AWS_PROFILE", "nobody")
    assert "ProfileNotFound" in failure() and "nobody" in failure()


def test_a_config_file_that_cannot_be_parsed(tmp_path, environment):
    config(tmp_path, "[profile\n=\n")
    environment.setenv("AWS_PROFILE", "p")
    assert "ConfigParseError" in failure()


def test_a_process_that_gives_credentials(tmp_path, environment):
    code = 'print(\'{"Version": 1, "AccessKeyId": "AKIAPROCESS", "SecretAccessKey": "s"}\')'
    process(tmp_path, code, environment)
    assert keys_of().access_key_id == "AKIAPROCESS"


def test_what_a_failing_process_writes_is_not_repeated(tmp_path, environment):
    process(tmp_path, "import sys; sys.exit('my secret is hunter2')", environment)
    detail = failure()
    assert "CredentialRetrievalError" in detail and "custom-process" in detail
    assert "hunter2" not in detail


@pytest.mark.parametrize("output", ["", "{", "[]", '{"Version": 2}', '{"Version": 1}', "null"])
def test_a_process_that_writes_something_else(tmp_path, environment, output):
    process(tmp_path, f"print({output!r})", environment)
    assert "chain failed" in failure()


@pytest.mark.alone
def test_a_process_that_hangs_is_waited_for_no_longer_than_the_deadline(tmp_path, environment):
    process(tmp_path, "import time; time.sleep(4)", environment)
    began = time.monotonic()
    assert "did not answer in time" in failure(seconds=0.3)
    assert time.monotonic() - began < 1


def test_a_chain_that_hangs_is_asked_once_for_all_who_wait(tmp_path, environment):
    count = tmp_path / "count"
    code = f"import time; open({str(count)!r}, 'a').write('x'); time.sleep(3)"
    process(tmp_path, code, environment)
    chain = Chain("eu-west-1", timeout=1)
    for _ in range(3):
        with pytest.raises(StsFailed):
            chain.keys(Deadline.after(0.3))
    assert count.read_text() == "x"


def test_a_profile_that_assumes_a_role(assuming, stock):
    assuming("Hub")
    own = keys_of()
    assert own.temporary
    assert stock(own).get_caller_identity()["Arn"].endswith("assumed-role/Hub/broker")


def test_a_profile_whose_role_is_refused_says_so(assuming):
    assuming("Nobody")
    assert "ClientError AccessDenied in AssumeRole" in failure()


def test_the_same_chain_serves_again_without_looking(environment):
    environment.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLEEXAMPLE00")
    environment.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    chain = Chain("eu-west-1", timeout=1)
    first = chain.keys(Deadline.after(1))
    environment.setenv("AWS_ACCESS_KEY_ID", "AKIAANOTHER")
    assert chain.keys(Deadline.after(1)) == first
    chain.forget(first)
    assert chain.keys(Deadline.after(1)).access_key_id == "AKIAANOTHER"


def test_credentials_that_come_later_are_found_later(environment):
    chain = Chain("eu-west-1", timeout=1)
    with pytest.raises(StsFailed):
        chain.keys(Deadline.after(1))
    environment.setenv("AWS_ACCESS_KEY_ID", "AKIALATER")
    environment.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert chain.keys(Deadline.after(1)).access_key_id == "AKIALATER"


def test_the_environment_moves_neither_endpoint_nor_proxy_nor_region(keys, environment):
    """The SDK's variables count for the broker's own credentials and for nothing else."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        environment.setenv(name, "http://127.0.0.1:9")
    environment.setenv("AWS_REGION", "ap-south-1")
    environment.setenv("AWS_DEFAULT_REGION", "ap-south-1")
    assert make(keys).assume(request()).access_key_id


def test_warm_never_raises(environment):
    Aws(Endpoint("aws", ("eu-west-1",), "http://127.0.0.1:9"), timeout=0.2).warm()
    environment.setenv("AWS_PROFILE", "nobody")
    Aws(Endpoint("aws", ("eu-west-1",), "http://127.0.0.1:9"), timeout=0.2).warm()
    environment.delenv("AWS_PROFILE")
    environment.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLEEXAMPLE00")
    environment.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    Aws(Endpoint("aws", ("eu-west-1",), "http://127.0.0.1:9"), timeout=0.2).warm()


def test_the_configuration_is_no_source_of_credentials():
    text = "".join(path.read_text() for path in Path("app/aws").glob("*.py"))
    assert "DAYPASS_" not in text and "os.environ" not in text
