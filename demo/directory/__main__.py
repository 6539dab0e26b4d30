"""`python -m demo.directory`: the demo directory, until SIGINT or SIGTERM."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path

from demo.directory.server import Directory, NotHere, Plan

SECRETS = {
    "PARTNER_CLIENT_SECRET": "the broker's secret at the OpenID provider",
    "SOCIAL_CLIENT_SECRET": "the secret of the app at the social network",
}


def main(arguments: list[str] | None = None) -> int:
    """Start the listeners, print their addresses as one JSON line, wait. 0 stopped, 1 not started, 2 usage."""
    parser = argparse.ArgumentParser(prog="python -m demo.directory", description=__doc__)
    parser.add_argument("--saml-port", type=int, default=8001)
    parser.add_argument("--oidc-port", type=int, default=8002)
    parser.add_argument("--social-port", type=int, default=8003)
    parser.add_argument(
        "--page", action="append", default=[], help="redirect address of a page that signs in at Chirp"
    )
    parser.add_argument("--broker", default="http://localhost:8000", help="the broker's base address")
    parser.add_argument("--state", type=Path, required=True, help="folder for the directory's keys")
    parser.add_argument("--broker-certificate", type=Path, help="PEM; instead of the broker's metadata")
    parser.add_argument("--assertion-only", action="store_true", help="leave the Response unsigned")
    given = parser.parse_args(arguments)
    secret, social_secret = (os.environ.get(name, "") for name in SECRETS)
    missing = [f"{name}: {what}" for name, what in SECRETS.items() if not os.environ.get(name)]
    if missing:
        print(f"Set {'; '.join(missing)}.", file=sys.stderr)
        return 2
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    try:
        directory = Directory(
            Plan(
                broker=given.broker.rstrip("/"),
                state=given.state,
                client_secret=secret,
                social_secret=social_secret,
                saml_port=given.saml_port,
                oidc_port=given.oidc_port,
                social_port=given.social_port,
                pages=tuple(given.page),
                broker_certificate=given.broker_certificate.read_bytes()
                if given.broker_certificate
                else None,
                sign_response=not given.assertion_only,
            )
        )
    except (NotHere, OSError, ValueError) as error:
        print(f"The demo directory did not start: {error}", file=sys.stderr)
        return 1
    started = {"saml": directory.saml_url, "oidc": directory.oidc_url, "social": directory.social_url}
    print(json.dumps(started), flush=True)
    ended.wait()
    directory.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
