"""`python -m demo.aws`: the AWS double on its own."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from types import FrameType

from demo.aws.accounts import EXTERNAL_ID, KeyPair, State, load, load_or_create, shipped
from demo.aws.clock import Clock
from demo.aws.http import HOST, Double


def _from_environment() -> KeyPair | None:
    """The broker's key pair as the AWS SDK's variables say it, so that both sides can be told the same."""
    key, secret = (os.environ.get(name, "") for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
    return KeyPair(key, secret) if key and secret else None


def main(arguments: list[str] | None = None) -> int:
    """Serve until interrupted. Exit code 0, or 2 if it cannot start as asked."""
    parser = argparse.ArgumentParser(
        prog="python -m demo.aws", description="An AWS double (STS, console, S3) for demonstration and tests."
    )
    parser.add_argument(
        "--port", type=int, default=8090, help="port on 127.0.0.1 (default 8090; 0: any free one)"
    )
    parser.add_argument("--host", default=HOST, help="127.0.0.1; anything else is refused")
    parser.add_argument(
        "--state",
        type=Path,
        help="file (or folder) that keeps the broker's key pair, made at first start; "
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY win over it",
    )
    parser.add_argument("--accounts", type=Path, help="YAML or JSON; default: those of the shipped config/")
    parser.add_argument(
        "--external-id",
        default=os.environ.get("SANDBOX_EXTERNAL_ID") or EXTERNAL_ID,
        help="what ${external_id} in the accounts stands for (default: SANDBOX_EXTERNAL_ID)",
    )
    options = parser.parse_args(arguments)
    if options.host != HOST:
        parser.error(f"the AWS double listens on {HOST} only")
    try:
        accounts = (
            load(options.accounts, options.external_id) if options.accounts else shipped(options.external_id)
        )
        state = load_or_create(options.state) if options.state else State.made()
        state = replace(state, broker=_from_environment() or state.broker)
        double = Double(options.port, accounts, state, Clock())
    except (OSError, ValueError) as error:
        print(f"The AWS double cannot start: {error}", file=sys.stderr)
        return 2

    def end(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)
    print(
        f"AWS double on {double.url} (STS, /federation, /console, S3 buckets). This is not AWS.", flush=True
    )
    if options.state is None and _from_environment() is None:
        print(f"Key of the broker: AWS_ACCESS_KEY_ID={double.broker.access_key_id}")
        print(f"                   AWS_SECRET_ACCESS_KEY={double.broker.secret_access_key}", flush=True)
    try:
        double.run()
    except KeyboardInterrupt:
        pass
    finally:
        double.stop()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
