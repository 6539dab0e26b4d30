"""Where a console link may lead: AWS's console of the partition, exactly, and the double's."""

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.aws import Aws
from app.errors import DestinationForbidden
from app.model import Endpoint

REAL = Aws(Endpoint("aws", ("eu-west-1",)))
CHINA = Aws(Endpoint("aws-cn", ("cn-north-1",)))
DOUBLE = Aws(Endpoint("aws", ("eu-west-1",), "http://127.0.0.1:8090", "http://127.0.0.1:8090"))


@pytest.mark.parametrize(
    "address",
    [
        "https://console.aws.amazon.com",
        "https://console.aws.amazon.com/",
        "https://console.aws.amazon.com/ec2/v2/home?region=us-east-1#Instances:sort=tag:Name",
        "https://eu-west-1.console.aws.amazon.com/s3/buckets/my-bucket?tab=objects",
        "https://us-gov-west-1.console.aws.amazon.com/x",
        "https://console.aws.amazon.com/a%20b?c=%5Cd",
    ],
)
def test_console_addresses_are_taken_as_they_are(address):
    assert REAL.destination(address) == address
    assert DOUBLE.destination(address) == address


def test_without_an_address_the_start_page_is_taken():
    assert REAL.destination(None) == "https://eu-west-1.console.aws.amazon.com/console/home?region=eu-west-1"
    assert REAL.destination(None, "us-east-2").endswith("home?region=us-east-2")
    assert CHINA.destination(None) == "https://cn-north-1.console.amazonaws.cn/console/home?region=cn-north-1"
    assert DOUBLE.destination(None) == "http://127.0.0.1:8090/console/home?region=eu-west-1"


EVIL = [
    "",
    " ",
    "console.aws.amazon.com",
    "//console.aws.amazon.com/",
    "/console/home",
    "http://console.aws.amazon.com/",
    "HTTPS://console.aws.amazon.com/",
    "javascript:alert(1)//https://console.aws.amazon.com/",
    "data:text/html,https://console.aws.amazon.com/",
    "https:/console.aws.amazon.com/",
    "https:console.aws.amazon.com/",
    "https:///console.aws.amazon.com/",
    "https://console.aws.amazon.com.evil.example/",
    "https://evil.example/console.aws.amazon.com/",
    "https://evil.example/?https://console.aws.amazon.com/",
    "https://evil.example#.console.aws.amazon.com/",
    "https://evilconsole.aws.amazon.com/",
    "https://evil-console.aws.amazon.com/",
    "https://evil.console.aws.amazon.com/",
    "https://eu-west-1.evil.console.aws.amazon.com/",
    "https://.console.aws.amazon.com/",
    "https://eu-west-1..console.aws.amazon.com/",
    "https://aws.amazon.com/",
    "https://signin.aws.amazon.com/",
    "https://console.aws.amazon.com@evil.example/",
    "https://user@console.aws.amazon.com/",
    "https://user:pass@console.aws.amazon.com/",
    "https://@console.aws.amazon.com/",
    "https://console.aws.amazon.com:443/",
    "https://console.aws.amazon.com:8443/",
    "https://console.aws.amazon.com:/",
    "https://console.aws.amazon.com./",
    "https://CONSOLE.aws.amazon.com/",
    "https://console.aws.amazon.com\\@evil.example/",
    "https://console.aws.amazon.com\\.evil.example/",
    "https:\\\\console.aws.amazon.com/",
    "https://console.aws.amazon.com/\r\nSet-Cookie: a=b",
    "https://console.aws.amazon.com/\t",
    "https://con\tsole.aws.amazon.com/",
    "\x00https://console.aws.amazon.com/",
    " https://console.aws.amazon.com/",
    "https://console.aws.amazon.com/ x",
    "https://console.aws.amazon.com/\u202e",
    "https://console\u3002aws.amazon.com/",
    "https://console.aws.amazon.com%2eevil.example/",
    "https://console.aws.amazon.com%00.evil.example/",
    "https://[::1]/",
    "https://[console.aws.amazon.com]/",
    "https://[/",
    "https://console.amazonaws.cn/",
    "https://console.aws.amazon.com/" + "a" * 2048,
]


@pytest.mark.parametrize("address", EVIL)
def test_anything_else_is_refused(address):
    for aws in (REAL, CHINA if "amazonaws.cn" not in address else REAL, DOUBLE):
        with pytest.raises(DestinationForbidden):
            aws.destination(address)


@pytest.mark.parametrize("path", ["", "/", "/home", "/ec2/home?region=eu-west-1#x", "?a", "#a"])
def test_the_doubles_console_is_taken_where_it_is_configured(path):
    address = f"http://127.0.0.1:8090/console{path}"
    assert DOUBLE.destination(address) == address
    with pytest.raises(DestinationForbidden):
        REAL.destination(address)


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:8090/",
        "http://127.0.0.1:8090/consoles",
        "http://127.0.0.1:8090/federation?Action=login",
        "http://127.0.0.1:8090/console/../federation",
        "http://127.0.0.1:8091/console",
        "http://localhost:8090/console",
        "https://127.0.0.1:8090/console",
        "http://user@127.0.0.1:8090/console",
        "http://127.0.0.1:8090@evil.example/console",
        "http://127.0.0.1:80901/console",
    ],
)
def test_other_addresses_of_the_double_are_refused(address):
    with pytest.raises(DestinationForbidden):
        DOUBLE.destination(address)


@pytest.mark.parametrize("region", ["", "evil.example/", "eu-west-1.evil", "EU-WEST-1", "eu_west_1", "x"])
def test_a_region_that_is_none_is_refused(region):
    with pytest.raises(DestinationForbidden):
        REAL.destination(None, region or "-")


HOSTS = {"console.aws.amazon.com", "eu-west-1.console.aws.amazon.com"}
PIECES = st.sampled_from(
    [
        "https://",
        "http://",
        "console.aws.amazon.com",
        "eu-west-1.",
        "evil.example",
        *"@:/\\#?.[] \ta",
        "443",
        "%2e",
    ]
)


@given(st.lists(PIECES, max_size=8).map("".join) | st.text(max_size=60))
def test_what_is_taken_is_on_a_console_host_for_every_reader(address):
    try:
        taken = REAL.destination(address)
    except DestinationForbidden:
        return
    assert taken == address
    parts = urlsplit(taken)
    assert parts.scheme == "https" and parts.netloc in HOSTS
    # What a browser takes for the authority ends at the first of these characters.
    rest = taken[len("https://") :]
    authority = rest[: min((rest.find(sign) for sign in "/?#\\" if sign in rest), default=len(rest))]
    assert authority in HOSTS
