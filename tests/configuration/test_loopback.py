"""http and loopback: taken only by a broker that is itself http on loopback."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.configuration.builders import ENVIRON, FILES, said

PLACES: Mapping[str, tuple[str, str]] = {
    "issuer": ("providers/partner.yaml", "http://127.0.0.1:8002"),
    "url": ("providers/corp.yaml", "http://127.0.0.1:8001/metadata"),
    "sts_endpoint": ("daypass.yaml", "http://127.0.0.1:8090"),
    "console_endpoint": ("daypass.yaml", "http://127.0.0.1:8091"),
}


def configuration(base: str, **addresses: str) -> dict[str, str]:
    """Everything over https on the network, but what is named."""
    made = dict(FILES)
    made["daypass.yaml"] = made["daypass.yaml"].replace(
        "[eu-west-1]",
        "[eu-west-1], sts_endpoint: http://127.0.0.1:8090, console_endpoint: http://127.0.0.1:8091",
    )
    made["daypass.yaml"] += "alerts: [{webhook: {env: HOOK}}]\n"
    for key, (path, written) in PLACES.items():
        address = addresses.get(key, f"https://{key.replace('_', '-')}.acme.test")
        made[path] = made[path].replace(written, f'"{address}"')
    made["daypass.yaml"] = made["daypass.yaml"].replace("http://localhost:8000", base)
    return made


def words(base: str, hook: str = "https://hook.acme.test/x", **addresses: str) -> list[str]:
    return said(configuration(base, **addresses), environ={**ENVIRON, "HOOK": hook})


def test_on_the_network_everything_is_https() -> None:
    assert words("https://sso.acme.test") == []


@pytest.mark.parametrize("key", PLACES)
@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:1", "https://127.0.0.1:1", "https://localhost", "https://[::1]"]
)
def test_on_the_network_nothing_on_loopback_is_called(key: str, address: str) -> None:
    lines = words("https://sso.acme.test", **{key: address})
    assert len(lines) == 1
    assert f"{key}  is on loopback" in lines[0]


@pytest.mark.parametrize("key", PLACES)
def test_on_the_network_nothing_is_called_over_http(key: str) -> None:
    lines = words("https://sso.acme.test", **{key: "http://idp.acme.test"})
    assert len(lines) == 1
    assert f"{key}  expected `https://`" in lines[0]


def test_a_webhook_follows_the_same_rule_and_is_not_shown() -> None:
    (line,) = words("https://sso.acme.test", hook="http://hook.acme.test/T0")
    assert "webhook  expected `https://`" in line
    assert "T0" not in line
    assert words("http://localhost:8000", hook="http://127.0.0.1:9/T0") == []


@pytest.mark.parametrize("base", ["http://localhost:8000", "http://127.0.0.1:8000", "http://[::1]:8000"])
def test_on_loopback_http_and_loopback_are_taken(base: str) -> None:
    assert words(base, **{key: address for key, (_, address) in PLACES.items()}) == []


def test_on_loopback_http_to_another_machine_is_a_warning() -> None:
    (line,) = words("http://localhost:8000", issuer="http://idp.acme.test")
    assert "issuer  warning: `http://` to another machine" in line
