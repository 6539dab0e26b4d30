"""Many processes at once, processes that are killed, disks that are full."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import time
from pathlib import Path

from daypass import cache
from tests.cli.contexts import context
from tests.cli.fake_broker import ADMIN, READER, Broker, rfc3339
from tests.cli.machine import Machine


def test_fifty_on_a_cold_cache_make_one_sign_in_and_one_request(machine: Machine, broker: Broker) -> None:
    running = [machine.start("credentials", "--login", ADMIN) for _ in range(50)]
    ended = [(process.communicate(timeout=110), process.returncode) for process in running]
    assert {code for _, code in ended} == {0}, ended
    assert len({out for (out, _), _ in ended}) == 1
    assert json.loads(ended[0][0][0])["AccessKeyId"] == f"ASIA{1:016}"
    assert len(machine.opened) == 1
    assert broker.asked["GET /oauth/authorize"] == broker.asked["POST /oauth/token"] == 1
    assert broker.asked["POST /v1/credentials"] == 1


def test_many_with_an_old_token_refresh_once(signed_in: Machine, broker: Broker) -> None:
    broker.end_access()
    arns = [f"arn:aws:iam::111122223333:role/R{number}" for number in range(12)]
    running = [signed_in.start("credentials", arn) for arn in arns]
    ended = [(process.communicate(timeout=100), process.returncode) for process in running]
    assert {code for _, code in ended} == {0}, ended
    assert broker.asked["POST /oauth/token"] == 2
    assert (
        broker.asked["POST /v1/credentials"] <= 24
    )  # each once, and once more where the old token was tried


def test_a_killed_holder_of_the_locks_keeps_nobody_out(signed_in: Machine, broker: Broker) -> None:
    broker.pause = 60.0
    holder = signed_in.start("credentials", ADMIN, start_new_session=True)
    while not broker.asked["POST /v1/credentials"]:
        time.sleep(0.05)
    broker.pause = 0.0
    os.kill(holder.pid, signal.SIGKILL)
    holder.communicate()
    assert signed_in.run("credentials", ADMIN).code == 0


def write_for_ever(machine: Machine) -> None:
    """A child's work: entries one after the other, each of one letter only, of different lengths."""
    given, number = context(machine), 0
    os.write(1, b"ready")
    while True:
        number += 1
        letter = "abcdefgh"[number % 8]
        document = {
            "AccessKeyId": letter * 20,
            "SecretAccessKey": letter * 40,
            "SessionToken": letter * (500 + number % 1500),
            "Expiration": rfc3339(time.time() + 3600),
        }
        cache.store(given, cache.name_of(ADMIN), cache.made(document, time.time(), None))


def test_a_kill_at_any_moment_leaves_an_entry_whole(machine: Machine) -> None:
    assert machine.run("credentials", ADMIN).code == 3  # stamps the folder
    chance = random.Random(6)
    for _ in range(12):
        heard, told = os.pipe()
        writer = os.fork()
        if not writer:
            os.dup2(told, 1)
            try:
                write_for_ever(machine)
            finally:
                os._exit(1)
        os.read(heard, 10)
        time.sleep(chance.uniform(0.0, 0.15))
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
        os.close(heard)
        os.close(told)
        if not machine.entry(ADMIN).exists():
            continue
        served = machine.run("credentials", ADMIN, environ={"PATH": "/nowhere"})
        document = served.document
        letters = {*document["AccessKeyId"], *document["SecretAccessKey"], *document["SessionToken"]}
        assert len(letters) == 1 and len(document["SessionToken"]) >= 500
    assert machine.entry(ADMIN).exists()


def test_half_written_files_are_cleared_away(signed_in: Machine) -> None:
    signed_in.run("credentials", ADMIN)
    left = signed_in.entry(ADMIN).with_name(signed_in.entry(ADMIN).name + ".1.2.new")
    young = left.with_name("young.3.4.new")
    for path, age in ((left, 7200), (young, 5)):
        path.write_text("half")
        os.utime(path, (time.time() - age, time.time() - age))
    signed_in.run("credentials", READER)
    assert not left.exists() and young.exists()


def full() -> None:
    """Files of this process cannot grow: what a full disk does, without one."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))


def test_a_full_disk_serves_what_is_there(signed_in: Machine, broker: Broker) -> None:
    first = signed_in.run("credentials", ADMIN)
    again = signed_in.run("credentials", ADMIN, preexec_fn=full)
    assert again.out == first.out, again
    assert broker.asked["POST /v1/credentials"] == 1


def test_a_full_disk_gives_what_it_cannot_keep(signed_in: Machine, broker: Broker) -> None:
    signed_in.run("credentials", ADMIN)
    before = sorted((path, path.read_bytes()) for path in signed_in.passes.iterdir())
    done = signed_in.run("credentials", READER, preexec_fn=full)
    assert done.document["AccountId"] == "444455556666"
    assert "not kept" in done.err
    assert sorted((path, path.read_bytes()) for path in signed_in.passes.iterdir()) == before


def test_a_full_disk_loses_no_sign_in(signed_in: Machine, broker: Broker) -> None:
    broker.end_access()
    done = signed_in.run("credentials", ADMIN, preexec_fn=full)
    assert done.code == 7 and "cannot be written" in done.err
    assert broker.asked["POST /oauth/token"] == 1, "no new token was asked for that could not have been kept"
    assert signed_in.run("credentials", ADMIN).code == 0
    assert len(signed_in.opened) == 1


def test_a_kill_before_the_new_refresh_token_is_kept_is_made_good(signed_in: Machine, broker: Broker) -> None:
    """The broker has answered, nothing was written: within the grace the same successor comes again."""
    kept = next(signed_in.state.glob("brokers/*/refresh"))
    before = kept.read_bytes()
    broker.end_access()
    assert signed_in.run("credentials", ADMIN).code == 0
    # As if killed between: the old refresh token is back, and its successor was never used.
    broker.successors = {before.decode(): json.dumps(broker.tokens("again"))}
    kept.write_bytes(before)
    broker.access = {token: of for token, of in broker.access.items() if of["family"] == "again"}
    session = next(signed_in.state.glob("brokers/*/session"))
    session.write_text(session.read_text().replace('"at-', '"lost-'))
    assert signed_in.run("credentials", READER).code == 0
    assert len(signed_in.opened) == 1


def test_the_new_refresh_token_is_kept_before_the_access_token_is_used(
    signed_in: Machine, broker: Broker
) -> None:
    kept = next(signed_in.state.glob("brokers/*/refresh"))
    before = kept.read_bytes()
    broker.end_access()
    broker.pause = 60.0
    slow = signed_in.start("credentials", ADMIN, start_new_session=True)
    while broker.asked["POST /v1/credentials"] < 2:
        time.sleep(0.05)
    os.kill(slow.pid, signal.SIGKILL)
    slow.communicate()
    assert kept.read_bytes() != before
    broker.pause = 0.0
    assert signed_in.run("credentials", ADMIN).code == 0
    assert broker.asked["POST /oauth/token"] == 2


def test_twenty_first_starts_unpack_the_package_once_and_right(tmp_path: Path) -> None:
    machine = Machine(tmp_path, "https://daypass.example.com", new=True)
    running = [machine.start("--version") for _ in range(20)]
    assert {process.communicate(timeout=100)[0] for process in running} == {"daypass 0.1.0\n"}
    assert len(list((machine.cache / "code").iterdir())) == 1
