"""URLs: what is taken is what can be compared character by character."""

from __future__ import annotations

import pytest

from app.configuration import addresses
from app.configuration.references import Wrong

BASES = {
    "https://sso.acme.test": True,
    "https://sso.acme.test:8443": True,
    "http://localhost:8000": True,
    "http://localhost": True,
    "http://127.0.0.1:8000": True,
    "http://127.255.255.254:1": True,
    "http://[::1]:8000": True,
    "https://[2001:db8::1]": True,
    "http://sso.acme.test": False,
    "http://10.0.0.1:8000": False,
    "http://localhost.acme.test": False,
    "http://[::2]": False,
    "http://[::ffff:127.0.0.1]:8000": False,
    "https://[2001:0db8::1]": False,
    "https://[fe80::1%25eth0]": False,
    "https://sso.acme.test/": False,
    "https://sso.acme.test/path": False,
    "https://sso.acme.test?x": False,
    "https://sso.acme.test?": False,
    "https://sso.acme.test#": False,
    "https://sso.acme.test:443": False,
    "http://localhost:80": False,
    "https://sso.acme.test:0": False,
    "https://sso.acme.test:": False,
    "https://sso.acme.test:65536": False,
    "https://sso.acme.test:x": False,
    "https://SSO.acme.test": False,
    "HTTPS://sso.acme.test": False,
    "https://me@sso.acme.test": False,
    "https://me:pw@sso.acme.test": False,
    "https://sso.acme.test\\@evil.test": False,
    "https://sso acme.test": False,
    "https://sso\tacme.test": False,
    "https://sso.acme.test\n": False,
    "https://münchen.test": False,
    "https://-a.test": False,
    "https://a..test": False,
    "https://": False,
    "https:sso.acme.test": False,
    "ftp://sso.acme.test": False,
    "file:///etc/passwd": False,
    "javascript:alert(1)": False,
    "sso.acme.test": False,
    "//sso.acme.test": False,
    "http://127.1:8000": False,
    "http://0x7f000001": False,
    "http://2130706433": False,
    "https://1.2.3": False,
    "http://0.0.0.0:8000": False,
    "https://169.254.169.254": False,
    "https://224.0.0.1": False,
    "": False,
}


@pytest.mark.parametrize("text", BASES)
def test_base_url_is_an_origin_over_https_or_on_loopback(text: str) -> None:
    if BASES[text]:
        assert addresses.base_url(text) == text
    else:
        with pytest.raises(Wrong) as refused:
            addresses.base_url(text)
        assert len(text) < 20 or text not in str(refused.value), "what a reference leads to is not repeated"


CLOSED = [
    "http://169.254.169.254/latest/meta-data/",
    "http://169.254.170.2/v2/credentials",
    "http://[fd00:ec2::254]/latest/",
    "http://[fe80::1]/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[::]/",
    "http://0.0.0.0/",
    "http://0.1.2.3/",
    "http://[ff02::1]/",
]


@pytest.mark.parametrize("text", CLOSED)
def test_an_address_that_nobody_honest_has_is_refused(text: str) -> None:
    with pytest.raises(Wrong, match="never called"):
        addresses.url(text)


@pytest.mark.parametrize(
    "text", ["https://idp.acme.test/metadata?x=1", "https://10.1.2.3/x", "https://[fd12::1]:8443/"]
)
def test_an_address_of_a_companys_own_network_is_taken(text: str) -> None:
    assert addresses.url(text) == text


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("http://localhost/", "loopback"),
        ("http://a.localhost/", "loopback"),
        ("http://127.9.9.9/", "loopback"),
        ("http://[::1]/", "loopback"),
        ("https://localhost.test/", "open"),
    ],
)
def test_loopback_is_known_by_name_and_number(text: str, where: str) -> None:
    assert addresses.read(text).where == where
