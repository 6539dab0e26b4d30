"""The two endpoints of `serve`: botocore's own fetchers against them, and what they refuse."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import botocore.credentials
import botocore.utils
import pytest

from daypass.serve import container, control, imds
from tests.cli.endpoints import AWAY, START, World, ask, listening
from tests.cli.fake_broker import ADMIN, READER

TOKEN, CONTROL = "t" * 43, "c" * 43


@pytest.fixture
def world() -> World:
    made = World()
    made.holder.attach(ADMIN)
    return made


# --- the container endpoint -------------------------------------------------------------------------


@pytest.fixture
def port(world: World) -> Iterator[int]:
    def switch(arn: str) -> dict[str, Any]:
        return {"role": world.holder.attach(arn).arn}

    side = control.Control(CONTROL, switch, lambda: {"role": world.holder.current().arn}, lambda: None)
    with listening(container.handler(world.holder, TOKEN, side)) as found:
        yield found


WITH_TOKEN = [("Authorization", TOKEN)]


def test_botocore_takes_credentials_from_the_container_endpoint(port: int, world: World) -> None:
    environ = {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{port}/role",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": TOKEN,
    }
    world.now = time.time()
    world.holder.attach(ADMIN)
    provider = botocore.credentials.ContainerProvider(environ=environ)
    given = provider.load()
    frozen = given.get_frozen_credentials()
    assert given.method == "container-role"
    assert frozen.token == "token/Admin/2"
    assert frozen.account_id == "111122223333"


def test_an_answer_is_kept_by_nobody(port: int) -> None:
    status, body, headers = ask(port, "/role", WITH_TOKEN)
    assert status == 200
    assert sorted(json.loads(body)) == [
        "AccessKeyId",
        "AccountId",
        "Expiration",
        "RoleArn",
        "SecretAccessKey",
        "Token",
    ]
    assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("headers", "host", "status"),
    [
        (WITH_TOKEN, "127.0.0.1", 200),
        (WITH_TOKEN, "127.0.0.1:8080", 200),  # by `ssh -R`
        ([], None, 401),
        ([("Authorization", TOKEN[:-1])], None, 401),
        ([("Authorization", f"Bearer {TOKEN}")], None, 401),
        ([("Authorization", "é")], None, 401),
        ([*WITH_TOKEN, ("Authorization", "x")], None, 400),
        (WITH_TOKEN, "evil.example", 403),
        (WITH_TOKEN, "127.0.0.1.evil.example", 403),
        (WITH_TOKEN, "localhost.evil.example:80", 403),
        (WITH_TOKEN, "127.0.0.1:80@evil.example", 403),
        (WITH_TOKEN, "", 403),
        ([*WITH_TOKEN, ("Host", "evil.example")], None, 403),
        ([*WITH_TOKEN, ("Origin", "https://evil.example")], None, 403),
        ([*WITH_TOKEN, ("Origin", "http://127.0.0.1")], None, 403),
        ([*WITH_TOKEN, ("Origin", "null")], None, 403),
        ([*WITH_TOKEN, ("Origin", "")], None, 403),
    ],
)
def test_a_foreign_host_any_origin_and_a_wrong_token_are_refused(
    port: int, headers: list[tuple[str, str]], host: str | None, status: int
) -> None:
    found, body, _ = ask(port, "/role", headers, host=host)
    assert found == status
    assert ("secret" in body) == (status == 200)


@pytest.mark.parametrize(
    ("method", "path", "status"), [("POST", "/role", 405), ("GET", "/", 404), ("DELETE", "/role", 501)]
)
def test_nothing_else_is_there(port: int, method: str, path: str, status: int) -> None:
    assert ask(port, path, WITH_TOKEN, method=method)[0] == status


def test_when_nothing_can_be_given_the_answer_says_why(port: int, world: World) -> None:
    world.failure = AWAY
    world.now = START + 3600
    world.holder.renew()
    status, body, _ = ask(port, "/role", WITH_TOKEN)
    assert status == 503
    assert json.loads(body)["message"].endswith("Run: daypass doctor (request req-9)")


def test_the_sdks_token_is_not_the_key_to_control_nor_the_other_way_round(port: int) -> None:
    assert ask(port, "/control/status", WITH_TOKEN)[0] == 401
    assert ask(port, "/control/stop", WITH_TOKEN, method="POST", body="{}")[0] == 401
    assert ask(port, "/role", [("Authorization", CONTROL)])[0] == 401
    assert ask(port, "/control/status", [("Authorization", CONTROL)])[0] == 200


@pytest.mark.parametrize(
    "body", ["", "[]", "{", '{"role": 3}', '{"role": "x"}', '{"role": "arn:aws:iam::1:role/x"}', "[" * 5000]
)
def test_a_switch_to_nonsense_is_refused(port: int, world: World, body: str) -> None:
    assert ask(port, "/control/switch", [("Authorization", CONTROL)], method="POST", body=body)[0] == 400
    assert world.fetched == [ADMIN]


def test_a_switch_is_seen_by_the_next_question(port: int) -> None:
    assert json.loads(ask(port, "/role", WITH_TOKEN)[1])["RoleArn"] == ADMIN
    body = json.dumps({"role": READER})
    assert ask(port, "/control/switch", [("Authorization", CONTROL)], method="POST", body=body)[0] == 200
    assert json.loads(ask(port, "/role", WITH_TOKEN)[1])["RoleArn"] == READER


def test_silent_clients_do_not_keep_others_out(port: int) -> None:
    import socket

    waiting = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(20)]
    try:
        assert ask(port, "/role", WITH_TOKEN)[0] == 200
    finally:
        for each in waiting:
            each.close()


# --- the metadata endpoint --------------------------------------------------------------------------


@pytest.fixture
def metadata(world: World) -> Iterator[int]:
    with listening(imds.handler(world.holder, lambda: world.now, "eu-west-1")) as found:
        yield found


def a_token(port: int, life: str = "60") -> str:
    status, body, _ = ask(port, imds.TOKEN, [("X-aws-ec2-metadata-token-ttl-seconds", life)], method="PUT")
    assert status == 200, body
    return body


def test_botocore_takes_credentials_and_region_from_the_metadata_endpoint(
    metadata: int, world: World
) -> None:
    world.now = time.time()
    world.holder.attach(READER)
    settings = {"ec2_metadata_service_endpoint": f"http://127.0.0.1:{metadata}/"}
    fetcher = botocore.utils.InstanceMetadataFetcher(timeout=30, num_attempts=1, config=settings)
    given = botocore.credentials.InstanceMetadataProvider(iam_role_fetcher=fetcher).load()
    assert given.get_frozen_credentials().token == "token/Reader/2"
    places = botocore.utils.InstanceMetadataRegionFetcher(timeout=30, num_attempts=1, config=settings)
    assert places.retrieve_region() == "eu-west-1"


def test_version_1_is_not_answered(metadata: int) -> None:
    assert ask(metadata, imds.ROLES + "/")[0] == 401
    assert ask(metadata, imds.ROLES + "/", [("X-aws-ec2-metadata-token", "x")])[0] == 401
    status, body, _ = ask(metadata, imds.ROLES + "/", [("X-aws-ec2-metadata-token", a_token(metadata))])
    assert (status, body) == (200, "Admin")


def test_a_token_ends_with_its_life(metadata: int, world: World) -> None:
    token = [("X-aws-ec2-metadata-token", a_token(metadata, "60"))]
    world.now += 59
    assert ask(metadata, f"{imds.ROLES}/Admin", token)[0] == 200
    world.now += 1
    assert ask(metadata, f"{imds.ROLES}/Admin", token)[0] == 401


@pytest.mark.parametrize("life", ["", "0", "21601", "-1", "x", "1e3", "٣", "999999"])
def test_a_life_outside_1_to_21600_is_refused(metadata: int, life: str) -> None:
    headers = [("X-aws-ec2-metadata-token-ttl-seconds", life)] if life.isascii() else []
    assert ask(metadata, imds.TOKEN, headers, method="PUT")[0] == 400
    assert (
        ask(metadata, imds.TOKEN, [("X-aws-ec2-metadata-token-ttl-seconds", "21600")], method="PUT")[0] == 200
    )


@pytest.mark.parametrize(
    "odd",
    [
        ("X-Forwarded-For", "10.0.0.1"),
        ("X-Forwarded-For", ""),
        ("Origin", "https://evil.example"),
        ("Host", "evil.example"),
    ],
)
def test_forwarded_and_web_pages_questions_are_refused_for_tokens_and_for_the_rest(
    metadata: int, odd: tuple[str, str]
) -> None:
    life = ("X-aws-ec2-metadata-token-ttl-seconds", "60")
    assert ask(metadata, imds.TOKEN, [life, odd], method="PUT")[0] == 403
    token = ("X-aws-ec2-metadata-token", a_token(metadata))
    assert ask(metadata, f"{imds.ROLES}/Admin", [token, odd])[0] == 403
    assert ask(metadata, f"{imds.ROLES}/Admin", [token])[0] == 200


def test_another_roles_name_is_not_there(metadata: int, world: World) -> None:
    token = [("X-aws-ec2-metadata-token", a_token(metadata))]
    assert ask(metadata, f"{imds.ROLES}/Reader", token)[0] == 404
    world.holder.attach(READER)
    assert ask(metadata, f"{imds.ROLES}/Reader", token)[0] == 200


def test_the_shape_is_that_of_ec2(metadata: int) -> None:
    token = [("X-aws-ec2-metadata-token", a_token(metadata))]
    document = json.loads(ask(metadata, f"{imds.ROLES}/Admin", token)[1])
    assert (document["Code"], document["Type"]) == ("Success", "AWS-HMAC")
    info = json.loads(ask(metadata, "/latest/meta-data/iam/info", token)[1])
    assert info["InstanceProfileArn"] == "arn:aws:iam::111122223333:instance-profile/Admin"
    assert ask(metadata, "/latest/meta-data/placement/availability-zone", token)[1] == "eu-west-1a"
    assert ask(metadata, "/latest/user-data", token)[0] == 404


def test_tokens_do_not_fill_the_memory(world: World) -> None:
    tokens = imds.Tokens(lambda: world.now)
    first, *_rest = [tokens.give(60) for _ in range(imds.MOST + 1)]
    last = tokens.give(60)
    assert tokens.good(last)
    assert not tokens.good(first)
