"""The copy of the configuration says this copy's addresses, and is otherwise what it was."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from demo.running.relocate import Ports, database_url, relocate
from tests.demo.running.builders import MAIN, texts

STATE = Path("/srv/demo state/var")
SHIPPED = Path(__file__).parents[3] / "config"


def moved(port: int = 9000, **changed: str) -> dict[str, str]:
    return relocate(texts(**changed), Ports(port), STATE)


def main(port: int = 9000, **changed: str) -> dict:
    return yaml.safe_load(moved(port, **changed)["daypass.yaml"])


def test_every_address_moves_with_the_port():
    files = moved()
    settings_ = yaml.safe_load(files["daypass.yaml"])
    assert settings_["base_url"] == "http://localhost:9000"
    assert settings_["aws"]["sts_endpoint"] == "http://127.0.0.1:9090"
    assert settings_["aws"]["console_endpoint"] == "http://127.0.0.1:9090"
    assert settings_["keys"] == {"file": "/srv/demo state/var/keys"}
    assert settings_["database"] == "sqlite:////srv/demo state/var/daypass.db"
    corp, partner = (yaml.safe_load(files[f"providers/{name}.yaml"]) for name in ("corp", "partner"))
    assert corp["metadata"] == {"url": "http://127.0.0.1:9001/metadata"}
    assert partner["issuer"] == "http://127.0.0.1:9002"


def test_the_social_networks_addresses_move_too():
    text = (SHIPPED / "providers" / "social.yaml").read_text()
    social = yaml.safe_load(
        relocate({**texts(), "providers/social.yaml": text}, Ports(9000), STATE)["providers/social.yaml"]
    )
    assert social["token_url"] == "http://127.0.0.1:9003/token"
    assert social["check"]["url"] == "http://127.0.0.1:9003/debug_token"


def test_comments_order_and_line_numbers_stay():
    before, after = MAIN.splitlines(), moved()["daypass.yaml"].splitlines()
    assert len(before) == len(after)
    assert [line.partition("#")[2] for line in before] == [line.partition("#")[2] for line in after]


def test_files_without_addresses_stay_byte_by_byte():
    assert moved()["accounts.yaml"] == texts()["accounts.yaml"]


@pytest.mark.parametrize("port", [1, 7999, 8001, 8002, 8003, 8090, 65445])
def test_a_port_that_is_another_parts_by_default_is_no_trap(port: int):
    files = moved(port)
    assert yaml.safe_load(files["daypass.yaml"])["base_url"] == f"http://localhost:{port}"
    assert yaml.safe_load(files["providers/partner.yaml"])["issuer"] == f"http://127.0.0.1:{port + 2}"


def test_moving_twice_is_moving_once():
    once = moved(9000)
    assert relocate(once, Ports(9300), STATE) == moved(9300)


@pytest.mark.parametrize("port", [0, -1, 65446, 99999])
def test_a_port_that_leaves_no_room_is_refused(port: int):
    with pytest.raises(ValueError, match="PORT must be"):
        Ports(port)


def test_a_real_company_is_moved_to_this_machine_and_its_provider_is_not():
    files = moved(
        main=MAIN.replace("http://localhost:8000", "https://sso.acme.example"),
        partner=texts()["providers/partner.yaml"].replace(
            "http://127.0.0.1:8002", "https://idp.acme.example"
        ),
    )
    assert yaml.safe_load(files["daypass.yaml"])["base_url"] == "http://localhost:9000"
    assert yaml.safe_load(files["providers/partner.yaml"])["issuer"] == "https://idp.acme.example"


def test_other_addresses_on_this_machine_stay():
    partner = texts()["providers/partner.yaml"].replace(":8002", ":8443")
    assert moved(partner=partner)["providers/partner.yaml"] == partner


@pytest.mark.parametrize(
    "written",
    [
        MAIN.replace("  sts_endpoint: http://127.0.0.1:8090      # a double\n", ""),
        "".join(line for line in MAIN.splitlines(True) if "_endpoint" not in line),
        MAIN.split("aws:")[0],
        MAIN.split("aws:")[0] + "aws: {partition: aws, regions: [eu-west-1]}\n",
        MAIN.split("aws:")[0] + "aws: {}\n",
        MAIN.replace("keys: {file: var/keys} ", "keys:\n  file: var/keys\n"),
        MAIN.replace("keys: {file: var/keys} ", "keys: {env: KEYS} "),
        "".join(line for line in MAIN.splitlines(True) if not line.startswith(("keys", "database"))),
        MAIN.replace("base_url: http://localhost:8000 ", "base_url: {env: BASE_URL} "),
        MAIN.replace("base_url: http://localhost:8000 ", "base_url: "),
        "{version: 1, base_url: 'http://localhost:8000'}",
    ],
)
def test_whatever_was_written_the_demos_addresses_hold(written: str):
    settings_ = main(main=written)
    assert settings_["base_url"] == "http://localhost:9000"
    assert settings_["aws"]["sts_endpoint"] == settings_["aws"]["console_endpoint"] == "http://127.0.0.1:9090"
    assert settings_["keys"] == {"file": "/srv/demo state/var/keys"}
    assert settings_["version"] == 1
    assert list(settings_).count("aws") == 1


@pytest.mark.parametrize("broken", ["a: [", "- 1\n- 2\n", "", "text", "a: *nowhere", "\x00"])
def test_a_file_that_is_wrong_stays_for_the_broker_to_report(broken: str):
    assert moved(main=broken)["daypass.yaml"] == broken


@settings(max_examples=150, deadline=None)
@given(
    st.recursive(
        st.one_of(
            st.text(max_size=12),
            st.integers(),
            st.none(),
            st.sampled_from(
                ["http://127.0.0.1:8002", "http://localhost:8090/x?y=1", "http://[::1", "http://h:x"]
            ),
        ),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)
        ),
        max_leaves=12,
    ),
    st.sampled_from([True, False, None]),
)
def test_any_other_value_is_the_same_afterwards(value: object, flow: bool | None):
    text = yaml.safe_dump(value, default_flow_style=flow, allow_unicode=True)
    after = yaml.safe_load(relocate({"x.yaml": text}, Ports(9000), STATE)["x.yaml"])

    def expected(old: object) -> object:
        if isinstance(old, dict):
            return {key: expected(inner) for key, inner in old.items()}
        if isinstance(old, list):
            return [expected(inner) for inner in old]
        if isinstance(old, str):
            return {
                "http://127.0.0.1:8002": "http://127.0.0.1:9002",
                "http://localhost:8090/x?y=1": "http://localhost:9090/x?y=1",
            }.get(old, old)
        return old

    assert after == expected(yaml.safe_load(text))


def test_the_shipped_configuration_moves_as_a_whole():
    files = {path.relative_to(SHIPPED).as_posix(): path.read_text() for path in SHIPPED.rglob("*.yaml")}
    after = relocate(files, Ports(9000), STATE)
    for name, text in after.items():
        for old in (":8000", ":8001", ":8002", ":8090"):
            values = "\n".join(line.partition(" #")[0] for line in text.splitlines() if line[:1] != "#")
            assert old not in values, name
    assert yaml.safe_load(after["daypass.yaml"])["database"] == database_url(STATE)
