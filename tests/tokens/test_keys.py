"""Signing keys in memory: the same for all workers, looked for again in measure."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import pytest
from joserfc.jwk import ECKey, KeySet, RSAKey

from app.errors import KeysUnusable, StoreUnavailable
from app.tokens import KeptKey, SigningKeys
from app.tokens.keys import AGAIN, FRESH
from tests.tokens.builders import DAY, NOW, SECOND, Clock, Kept, issuer


def test_the_first_who_asks_makes_the_key_and_all_others_use_it():
    clock, kept = Clock(), Kept()
    workers = [SigningKeys(kept, clock) for _ in range(3)]
    assert len({worker.current()[0] for worker in workers}) == 1
    assert len(kept.keys) == 1
    kid, key = workers[0].current()
    assert workers[2].find(kid).as_dict(private=False) == key.as_dict(private=False)


def test_a_key_is_named_by_its_thumbprint():
    kid, key = issuer().keys.current()
    assert key.thumbprint() == kid  # RFC 7638
    assert key.curve_name == "P-256"
    assert key.is_private


def test_what_is_published_is_public():
    made = issuer()
    kid, key = made.keys.current()
    published = made.keys.published()
    assert [set(one) for one in published["keys"]] == [{"kty", "crv", "x", "y", "kid", "use", "alg"}]
    one = published["keys"][0]
    assert (one["kid"], one["use"], one["alg"], one["kty"], one["crv"]) == (
        kid,
        "sig",
        "ES256",
        "EC",
        "P-256",
    )
    assert json.loads(json.dumps(published)) == published
    assert not any(found.is_private for found in KeySet.import_key_set(published).keys)
    assert key.as_dict(private=True)["d"] not in json.dumps(published)


def test_a_key_is_published_by_all_workers_long_before_it_signs():
    made = issuer()
    other = SigningKeys(made.kept, made.clock)
    first = other.current()[0]
    made.clock.at = NOW + 28 * DAY
    made.keys.rotate(made.clock.at)
    made.clock.at += FRESH
    following = [one["kid"] for one in other.published()["keys"] if one["kid"] != first]
    assert len(following) == 1
    assert other.current()[0] == first
    made.clock.at = NOW + 30 * DAY
    assert other.current()[0] == following[0]
    assert other.find(first) is not None
    made.clock.at = NOW + 39 * DAY
    made.keys.rotate(made.clock.at)
    made.clock.at += FRESH
    assert [one["kid"] for one in other.published()["keys"]] == following
    assert other.find(first) is None


def test_an_unknown_key_id_is_looked_for_and_not_at_every_token():
    made = issuer()
    made.keys.current()
    made.clock.at += AGAIN
    before = made.kept.reads
    for _ in range(100):
        assert made.keys.find("unknown") is None
    assert made.kept.reads == before + 1
    made.clock.at += AGAIN
    assert made.keys.find("unknown") is None
    assert made.kept.reads == before + 2


def test_a_key_that_another_worker_has_just_made_is_found():
    made = issuer()
    made.keys.current()
    SigningKeys(made.kept, made.clock).rotate(NOW + 40 * DAY)
    kid = made.kept.keys[-1].kid
    assert made.keys.find(kid) is None  # looked a moment ago
    made.clock.at += AGAIN
    assert made.keys.find(kid) is not None


def test_known_keys_cost_no_look():
    made = issuer()
    kid, _ = made.keys.current()
    before = made.kept.reads
    for _ in range(100):
        made.keys.current()
        made.keys.find(kid)
    assert made.kept.reads == before


def test_a_database_that_is_down_is_no_reason_to_forget_the_keys_or_to_ask_it_at_every_token():
    made = issuer()
    kid, _ = made.keys.current()
    made.clock.at += FRESH
    made.kept.down = True
    before = made.kept.reads
    for _ in range(100):
        assert made.keys.find(kid) is not None
        assert made.keys.current()[0] == kid
        assert made.keys.find("unknown") is None
    assert made.kept.reads == before + 1
    made.kept.down = False
    made.clock.at += AGAIN
    made.keys.find(kid)
    assert made.kept.reads == before + 2


def test_without_a_database_from_the_start_there_are_no_keys():
    made = issuer()
    made.kept.down = True
    for ask in (made.keys.current, made.keys.published, lambda: made.keys.find("x")):
        with pytest.raises(StoreUnavailable):
            ask()
    made.kept.down = False
    made.clock.at += AGAIN
    assert made.keys.current()


def test_a_clock_that_was_moved_back_does_not_keep_what_is_here_until_it_has_caught_up():
    made = issuer()
    made.keys.current()
    made.clock.at -= DAY
    before = made.kept.reads
    assert made.keys.find("unknown") is None
    assert made.kept.reads == before + 1


@pytest.mark.parametrize("moved", [-400 * DAY, 400 * DAY, -SECOND])
def test_a_clock_that_is_moved_finds_the_keys_that_are_there(moved):
    made = issuer()
    kid, _ = made.keys.current()
    made.clock.at += moved
    assert made.keys.current()[0] == kid


@pytest.mark.parametrize(
    "private",
    [
        "",
        "null",
        "{}",
        json.dumps(ECKey.generate_key("P-384").as_dict(private=True)),
        json.dumps(ECKey.generate_key("P-256").as_dict(private=True)),  # of another name
        json.dumps(RSAKey.generate_key(2048).as_dict(private=True)),
    ],
)
def test_a_kept_key_that_is_not_what_it_should_be_signs_nothing_and_is_not_published(private, caplog):
    made = issuer()
    kid, _ = made.keys.current()
    made.kept.keys = [replace(made.kept.keys[0], private=private)]
    fresh = SigningKeys(made.kept, made.clock)
    with pytest.raises(KeysUnusable):
        fresh.current()
    assert fresh.find(kid) is None
    assert "cannot be used" in caplog.text
    assert len(private) < 5 or private not in caplog.text


@pytest.mark.parametrize(("curve", "private"), [("P-384", True), ("P-256", False)])
def test_a_kept_key_of_another_curve_or_without_its_private_half_is_none_though_its_name_is_right(
    curve, private
):
    made = issuer()
    key = ECKey.generate_key(curve)
    text = json.dumps(key.as_dict(private=private))
    made.kept.keys = [KeptKey(key.thumbprint(), NOW, NOW, text)]
    assert made.keys.find(key.thumbprint()) is None
    with pytest.raises(KeysUnusable):
        made.keys.current()


def test_nobody_sees_the_private_key_in_a_repr():
    made = issuer()
    _, key = made.keys.current()
    secret = key.as_dict(private=True)["d"]
    shown = [repr(made.kept.keys), repr(made.keys), repr(made.keys._known)]
    assert not any(secret in text for text in shown)


def test_many_threads_make_one_key():
    clock, kept = Clock(), Kept()
    keys, found, start = SigningKeys(kept, clock), [], threading.Barrier(10)

    def ask() -> None:
        start.wait()
        found.append(keys.current()[0])

    threads = [threading.Thread(target=ask) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 10
    assert len(set(found)) == len(kept.keys) == 1
