"""Fifty AWS commands at once, where nobody is signed in: one browser, one question to the broker, fifty answers."""

import json
from collections import Counter

import pytest
import requests

from tests.journeys import browsers, helper_steps

pytestmark = pytest.mark.interop

MANY = 50
ROLE = "arn:aws:iam::111122223333:role/ReadOnly"


def asked(acme) -> Counter:
    """How often AWS was asked for what, and how often the broker was, by its record."""
    counters = Counter(requests.get(f"{acme.aws_url}/_double/counters", timeout=10).json())
    for line in acme.audit("search", "--json", "--limit", "1000").stdout.splitlines():
        counters[json.loads(line)["kind"]] += 1
    return counters


def answers(started) -> list[dict]:
    """What each printed. All of them must have ended well."""
    told = []
    for one in started:
        out, err = one.communicate(timeout=60)
        assert one.returncode == 0, err
        told.append(json.loads(out))
    return told


@pytest.mark.timeout(300)
def test_fifty_at_once_make_one_sign_in_and_one_request(chromium, acme, tmp_path):
    at = helper_steps.workplace(tmp_path, acme)
    before = asked(acme)
    started = [at.start("daypass", "credentials", ROLE, "--login") for _ in range(MANY)]
    try:
        with browsers.new_page(chromium, acme.base_url) as page:
            helper_steps.allow(page, acme, at.wait_for_browser())
            told = answers(started)
        assert len(told) == MANY and all(one == told[0] for one in told)
        assert set(told[0]) == {
            *("Version", "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration", "AccountId")
        }
        assert len(at.opened()) == 1
        now = asked(acme)
        for kind in ("AssumeRole", "grant.approved", "credentials.asked", "credentials.issued"):
            assert now[kind] - before[kind] == 1, kind

        again = answers([at.start("daypass", "credentials", ROLE, "--login") for _ in range(MANY)])
        assert all(one == told[0] for one in again)
        assert asked(acme)["credentials.asked"] == now["credentials.asked"]
        assert len(at.opened()) == 1 and at.open_to_others() == []
    finally:
        for one in started:
            one.kill()
            one.communicate()
