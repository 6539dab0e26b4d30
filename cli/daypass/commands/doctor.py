"""`daypass doctor`: what on this machine is in the way, and what to run about it."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from daypass import checks
from daypass.errors import DONE
from daypass.output import clean

if TYPE_CHECKING:
    from daypass.context import Context

HELP = "check clock, network, files, PATH and AWS profiles"
_WORDS = {checks.OK: "ok  ", checks.WARN: "warn", checks.FAIL: "FAIL"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """None of its own."""
    parser.epilog = (
        "Exit code 0 without a failure (warnings are none), else 5 for the broker, 7 for this machine."
    )


def run(context: Context, arguments: argparse.Namespace) -> int:
    """All checks, a line each; the exit code is that of the first failure."""
    output = context.output
    found = []
    for each in checks.run(context):
        found.append(each)
        if not output.json:
            output.print(f"{_WORDS[each.state]}  {each.name}: {clean(each.what)}")
            if each.next and each.state != checks.OK:
                output.print(f"      Run: {clean(each.next)}")
    if output.json:
        output.document({"checks": [asdict(each) for each in found]})
    return next((each.code for each in found if each.state == checks.FAIL), DONE)
