"""`python -m demo.app`: the web app, until SIGINT or SIGTERM."""

from __future__ import annotations

import argparse
import signal
import sys
import threading

from demo.app.site import Settings, Site


def main(arguments: list[str] | None = None) -> int:
    """Serve, print the address, wait. 0 stopped, 1 not started, 2 usage."""
    parser = argparse.ArgumentParser(prog="python -m demo.app", description=__doc__)
    parser.add_argument("--port", type=int, default=8004, help="port on 127.0.0.1 (0: any free one)")
    parser.add_argument("--broker", default="http://localhost:8000", help="the broker's base address")
    parser.add_argument("--social", default="http://127.0.0.1:8003", help="the social provider's address")
    parser.add_argument("--source", default="social", help="the broker's name for that provider")
    parser.add_argument("--s3", default="http://127.0.0.1:8090", help="where S3 answers")
    given = parser.parse_args(arguments)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    settings = Settings(
        broker=given.broker.rstrip("/"),
        social=given.social.rstrip("/"),
        s3=given.s3.rstrip("/"),
        source=given.source,
    )
    try:
        site = Site(settings, given.port)
    except (OSError, ValueError) as error:
        print(f"The demo app did not start: {error}", file=sys.stderr)
        return 1
    print(site.url, flush=True)
    ended.wait()
    site.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
