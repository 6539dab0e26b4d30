"""Keys in a shell, used by a stock boto3 that knows nothing of us."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Final

from tests.company import environment

_WHO: Final = """\
import boto3, json
from botocore.config import Config
sts = boto3.client("sts", region_name="eu-west-1", config=Config(retries={"total_max_attempts": 1}))
print(json.dumps({name: sts.get_caller_identity()[name] for name in ("Arn", "Account")}))
"""


def who_am_i(block: str, aws_url: str) -> dict[str, str]:
    """Paste `block` (the lines for bash from the Keys page) into bash and ask AWS there who one is."""
    done = subprocess.run(
        ["bash", "--norc", "-eu", "-c", f'{block}\nexec "$0" -c "$1"', sys.executable, _WHO],
        env=environment(AWS_ENDPOINT_URL_STS=aws_url),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, str] = json.loads(done.stdout)
    return answer
