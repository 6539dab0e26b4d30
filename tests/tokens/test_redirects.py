"""Redirect addresses: exactly what was declared, but for the port of this machine (RFC 9700, 4.1; RFC 8252, 7.3)."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from app.tokens.redirects import LONGEST, matches

CLI = "http://127.0.0.1/callback"
V6 = "http://[::1]/callback"
WEB = "https://app.acme.test/oauth/answer?tenant=7"
FIXED = "http://127.0.0.1:8400/callback"
BARE = "http://127.0.0.1"
DECLARED = (CLI, V6, WEB, FIXED, BARE)

PARTS = st.sampled_from(
    [
        *("http://127.0.0.1", "http://[::1]", "https://app.acme.test", "http://", "https://", "//", "/", ":"),
        *(
            "8400",
            "49152",
            "1",
            "0",
            "65535",
            "65536",
            "@",
            "evil.test",
            "localhost",
            "127.0.0.1",
            "[::1]",
            "\\",
        ),
        *(
            "/callback",
            "/oauth/answer",
            "?tenant=7",
            "#",
            "%2f",
            "..",
            ".",
            "\t",
            "\x00",
            "\u3002",
            "?",
            "&",
            "",
        ),
    ]
)


@pytest.mark.parametrize(
    ("declared", "asked"),
    [
        (CLI, CLI),
        (CLI, "http://127.0.0.1:49152/callback"),
        (CLI, "http://127.0.0.1:1/callback"),
        (CLI, "http://127.0.0.1:65535/callback"),
        (V6, "http://[::1]:49152/callback"),
        (BARE, "http://127.0.0.1:49152"),
        ("http://127.0.0.1?a=b", "http://127.0.0.1:80?a=b"),
        (WEB, WEB),
        (FIXED, FIXED),
    ],
)
def test_what_was_declared_is_taken_and_any_port_of_this_machine(declared, asked):
    assert matches([declared], asked)
    assert matches(["https://other.test/", declared], asked)


@pytest.mark.parametrize(
    ("declared", "asked"),
    [
        (CLI, "http://127.0.0.1:49152/callback/"),
        (CLI, "http://127.0.0.1:49152/callback/../evil"),
        (CLI, "http://127.0.0.1:49152/Callback"),
        (CLI, "http://127.0.0.1:49152/callback?next=evil"),
        (CLI, "http://127.0.0.1:49152/callback#x"),
        (CLI, "http://127.0.0.1:49152"),
        (CLI, "http://127.0.0.1:/callback"),
        (CLI, "http://127.0.0.1:0/callback"),
        (CLI, "http://127.0.0.1:080/callback"),
        (CLI, "http://127.0.0.1:65536/callback"),
        (CLI, "http://127.0.0.1:655350/callback"),
        (CLI, "http://127.0.0.1:+80/callback"),
        (CLI, "http://127.0.0.1:٨٠/callback"),
        (CLI, "http://127.0.0.1:80@evil.test/callback"),
        (CLI, "http://127.0.0.1@evil.test/callback"),
        (CLI, "http://127.0.0.1.evil.test/callback"),
        (CLI, "http://127.0.0.1:80\\@evil.test/callback"),
        (CLI, "http://evil.test/http://127.0.0.1/callback"),
        (CLI, "http://localhost:49152/callback"),
        (CLI, "http://127.0.0.2:49152/callback"),
        (CLI, "http://127.1:49152/callback"),
        (CLI, "http://2130706433:49152/callback"),
        (CLI, "http://[::1]:49152/callback"),
        (CLI, "https://127.0.0.1:49152/callback"),
        (CLI, "HTTP://127.0.0.1:49152/callback"),
        (CLI, " http://127.0.0.1:49152/callback"),
        (CLI, "http://127.0.0.1:49152/callback\n"),
        (CLI, ""),
        (V6, "http://127.0.0.1:49152/callback"),
        (V6, "http://[0:0:0:0:0:0:0:1]:49152/callback"),
        (BARE, "http://127.0.0.1:49152/"),
        (FIXED, "http://127.0.0.1:8401/callback"),
        (FIXED, "http://127.0.0.1/callback"),
        (FIXED, "http://127.0.0.1:8400:80/callback"),
        (WEB, "https://app.acme.test:8443/oauth/answer?tenant=7"),
        (WEB, "https://app.acme.test/oauth/answer?tenant=8"),
        (WEB, "https://app.acme.test/oauth/answer"),
        (WEB, "https://app.acme.test/oauth/answer?tenant=7&x=y"),
        (WEB, "https://APP.acme.test/oauth/answer?tenant=7"),
        (WEB, "https://app.acme.test.evil.test/oauth/answer?tenant=7"),
        (WEB, "http://app.acme.test/oauth/answer?tenant=7"),
        # Declared by hand past the configuration's checks: no rule of loopback for what is none.
        ("http://127.0.0.1.evil.test/x", "http://127.0.0.1:80.evil.test/x"),
        ("http://127.0.0.1evil.test", "http://127.0.0.1:1evil.test"),
        ("http://localhost/callback", "http://localhost:49152/callback"),
        ("http://192.0.2.1/callback", "http://192.0.2.1:49152/callback"),
        ("https://127.0.0.1/callback", "https://127.0.0.1:49152/callback"),
    ],
)
def test_anything_else_is_refused(declared, asked):
    assert not matches([declared], asked)


def test_who_declared_nothing_gets_nothing():
    assert not matches([], CLI)
    assert not matches([], "")


def test_what_is_very_long_is_refused_though_it_was_declared():
    long = f"https://app.acme.test/{'a' * LONGEST}"
    assert not matches([long], long)


@settings(deadline=None)
@given(st.lists(PARTS, max_size=8).map("".join) | st.text())
def test_no_address_of_another_host_is_ever_taken(asked):
    if not matches(DECLARED, asked):
        return
    parts = urlsplit(asked)
    assert (parts.scheme, parts.hostname) in {
        ("http", "127.0.0.1"),
        ("http", "::1"),
        ("https", "app.acme.test"),
    }
    assert parts.username is None
    assert parts.port is None or (parts.scheme == "http" and 1 <= parts.port <= 65535)
    assert (parts.path, parts.query, parts.fragment) in {
        ("/callback", "", ""),
        ("", "", ""),
        ("/oauth/answer", "tenant=7", ""),
    }


@settings(deadline=None)
@given(st.lists(PARTS, max_size=8).map("".join), st.integers(1, 65535))
def test_the_port_is_the_only_freedom(rest, port):
    declared = f"http://127.0.0.1/{rest}"
    assert matches([declared], f"http://127.0.0.1:{port}/{rest}")
    assume(rest != "")
    assert not matches([declared], f"http://127.0.0.1:{port}/")
