"""`daypass credentials`, as processes against a broker: what is printed, when it is asked for, how it ends."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable

import pytest

from daypass import roles, session
from daypass.errors import Unwritable
from tests.cli.contexts import context
from tests.cli.fake_broker import ADMIN, READER, Broker, problem
from tests.cli.machine import Machine

MINUTE = 60.0
ASKED = "POST /v1/credentials"


def until(true: Callable[[], bool]) -> bool:
    """True as soon as it is so; False after half a minute."""
    for _ in range(300):
        if true():
            return True
        time.sleep(0.1)
    return False


def test_what_sts_said_is_printed_as_credential_process_takes_it(signed_in: Machine, broker: Broker) -> None:
    done = signed_in.run("credentials", ADMIN)
    assert done.out.count("\n") == 1 and done.err == ""
    assert list(done.document) == [
        "Version",
        "AccessKeyId",
        "SecretAccessKey",
        "SessionToken",
        "Expiration",
        "AccountId",
    ]
    assert done.document["Version"] == 1
    assert done.document["AccountId"] == "111122223333"


def test_a_second_call_is_the_same_bytes_from_the_shell_alone(signed_in: Machine, broker: Broker) -> None:
    first = signed_in.run("credentials", ADMIN)
    no_python = {"PATH": "/nowhere"}
    again = signed_in.run("credentials", ADMIN, environ=no_python)
    assert (again.code, again.out, again.err) == (0, first.out, "")
    for order in (("--login", ADMIN), (ADMIN, "--login")):
        assert signed_in.run("credentials", *order, environ=no_python).out == first.out
    assert broker.asked[ASKED] == 1


def test_pythons_own_first_lines_give_the_same_bytes(signed_in: Machine, broker: Broker) -> None:
    first = signed_in.run("credentials", ADMIN)
    for path in (signed_in.cache / "code").iterdir():
        path.rename(path.with_name("gone"))  # had the package been needed, it would be there again
    assert signed_in.python("credentials", ADMIN).out == first.out
    assert signed_in.python("credentials", "--login", ADMIN).out == first.out
    assert [path.name for path in (signed_in.cache / "code").iterdir()] == ["gone"]


def test_the_expiration_is_as_sts_wrote_it_and_the_renewal_is_the_files_time(
    signed_in: Machine, broker: Broker
) -> None:
    before = time.time()
    said = signed_in.run("credentials", ADMIN).document["Expiration"]
    ends = signed_in.entry(ADMIN).stat().st_mtime + 20 * MINUTE
    assert before + 3598 < ends < time.time() + 3602
    assert said in [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ends + off)) for off in (-1, 0, 1, 2)]


def test_nobody_signed_in_is_exit_3_and_opens_no_browser(machine: Machine, broker: Broker) -> None:
    done = machine.run("credentials", ADMIN)
    assert (done.code, done.out) == (3, "")
    assert "daypass login" in done.err
    assert machine.opened == []


def test_login_in_the_configuration_is_as_good_as_the_flag(machine: Machine, broker: Broker) -> None:
    machine.configure("login = yes\n")
    assert machine.run("credentials", ADMIN).code == 0
    assert len(machine.opened) == 1


def test_due_for_renewal_is_given_at_once_and_renewed_behind(signed_in: Machine, broker: Broker) -> None:
    first = signed_in.run("credentials", ADMIN)
    signed_in.age(ADMIN, 41 * MINUTE)
    broker.pause = 1.0
    again = signed_in.run("credentials", ADMIN)
    assert again.out == first.out
    assert until(
        lambda: signed_in.run("credentials", ADMIN, environ={"PATH": "/nowhere"}).out not in ("", first.out)
    )
    assert broker.asked[ASKED] == 2
    assert len(signed_in.opened) == 1


def test_a_failing_renewal_is_not_tried_by_every_command(signed_in: Machine, broker: Broker) -> None:
    first = signed_in.run("credentials", ADMIN)
    signed_in.age(ADMIN, 41 * MINUTE)
    broker.refusals["/v1/credentials"] = (503, problem("unavailable", "Not now."))
    for _ in range(4):
        assert signed_in.run("credentials", ADMIN).out == first.out
    assert until(lambda: broker.asked[ASKED] > 1)
    assert broker.asked[ASKED] == 2


def test_under_ten_minutes_are_not_given(signed_in: Machine, broker: Broker) -> None:
    first = signed_in.run("credentials", ADMIN)
    signed_in.age(ADMIN, 50 * MINUTE + 1)
    assert signed_in.run("credentials", ADMIN).document != first.document
    assert broker.asked[ASKED] == 2


def test_just_over_ten_minutes_are_given(signed_in: Machine, broker: Broker) -> None:
    first = signed_in.run("credentials", ADMIN)
    signed_in.age(ADMIN, 49 * MINUTE)
    assert signed_in.run("credentials", ADMIN).document == first.document


@pytest.mark.parametrize(("aged", "asked"), [(7, 1), (9.9, 2), (10.1, 2)])
def test_a_short_life_is_renewed_at_half_and_given_until_a_third(
    signed_in: Machine, broker: Broker, aged: float, asked: int
) -> None:
    broker.credential_life = 15 * MINUTE
    first = signed_in.run("credentials", ADMIN)
    signed_in.age(ADMIN, aged * MINUTE)
    again = signed_in.run("credentials", ADMIN)
    assert (again.out == first.out) == (aged < 10)
    assert until(lambda: broker.asked[ASKED] == asked)


def test_a_duration_has_an_entry_of_its_own(signed_in: Machine, broker: Broker) -> None:
    long = signed_in.run("credentials", ADMIN).document
    short = signed_in.run("credentials", ADMIN, "--duration", "15m").document
    assert short["Expiration"] < long["Expiration"]
    assert signed_in.run("credentials", ADMIN, "--duration", "900").document == short
    assert signed_in.run("credentials", ADMIN).document == long
    assert signed_in.run("credentials", ADMIN, "--duration", "14m").code == 2


def test_two_roles_are_two_answers(signed_in: Machine, broker: Broker) -> None:
    admin, reader = signed_in.run("credentials", ADMIN), signed_in.run("credentials", READER)
    assert admin.document["AccountId"] != reader.document["AccountId"]
    assert signed_in.run("credentials", READER).out == reader.out


def test_a_broker_that_is_down_matters_only_without_an_entry(signed_in: Machine, broker: Broker) -> None:
    first = signed_in.run("credentials", ADMIN)
    broker.close()
    assert signed_in.run("credentials", ADMIN).out == first.out
    signed_in.age(ADMIN, 45 * MINUTE)
    assert signed_in.run("credentials", ADMIN).out == first.out
    done = signed_in.run("credentials", READER)
    assert (done.code, done.out) == (5, "")
    assert f"{broker.url} cannot be reached" in done.err and "daypass doctor" in done.err


@pytest.mark.parametrize(
    ("status", "code", "exit_code"),
    [
        (403, "credentials.refused", 4),
        (404, "role.unknown", 4),
        (429, "too_many", 5),
        (502, "sts.refused", 6),
        (502, "sts.failed", 6),
        (502, "provider.failed", 5),
        (400, "oauth.invalid_grant", 3),
        (503, "unavailable", 5),
        (422, "duration.invalid", 2),
    ],
)
def test_refusals_are_the_brokers_words_with_the_request_id(
    signed_in: Machine, broker: Broker, status: int, code: str, exit_code: int
) -> None:
    broker.refusals["/v1/credentials"] = (status, problem(code, "Ask the owners of production.", "Not yours"))
    done = signed_in.run("credentials", ADMIN)
    assert (done.code, done.out) == (exit_code, "")
    assert "Not yours." in done.err and "Ask the owners of production." in done.err and "req-1" in done.err


def test_errors_are_json_where_that_was_asked_for(signed_in: Machine, broker: Broker) -> None:
    broker.refusals["/v1/credentials"] = (403, problem("x", "Ask the owners.", "Not yours"))
    for words in (("--json", "credentials", ADMIN), ("credentials", ADMIN, "--json")):
        told = json.loads(signed_in.run(*words).err)
        assert (told["exit"], told["request_id"], told["why"]) == (4, "req-1", "Ask the owners.")


def test_what_the_broker_says_moves_no_cursor(signed_in: Machine, broker: Broker) -> None:
    broker.refusals["/v1/credentials"] = (403, problem("x", "a\x1b]0;owned\x07b\u202ec"))
    assert not {"\x1b", "\x07", "\u202e"} & set(signed_in.run("credentials", ADMIN).err)


@pytest.mark.parametrize(
    "broken", [{"SecretAccessKey": 'a"b'}, {"SessionToken": "a\nb"}, {"Expiration": "soon"}, {}]
)
def test_an_answer_that_holds_no_credentials_is_not_kept(
    signed_in: Machine, broker: Broker, broken: dict[str, str]
) -> None:
    good = {
        "AccessKeyId": "ASIA",
        "SecretAccessKey": "s",
        "SessionToken": "t",
        "Expiration": "2999-01-01T00:00:00Z",
    }
    broker.refusals["/v1/credentials"] = (200, {**good, **broken} if broken else {})
    done = signed_in.run("credentials", ADMIN)
    assert (done.code, done.out) == (6, "")
    assert not signed_in.entry(ADMIN).exists()


def test_credentials_that_have_run_out_are_not_given(signed_in: Machine, broker: Broker) -> None:
    broker.credential_life = -5.0
    assert signed_in.run("credentials", ADMIN).code == 6


def test_cache_off_keeps_nothing_and_takes_away_what_was_kept(signed_in: Machine, broker: Broker) -> None:
    first = signed_in.run("credentials", ADMIN)
    assert signed_in.entry(ADMIN).exists()
    time.sleep(0.02)
    signed_in.configure("cache = off\n")
    assert signed_in.run("credentials", ADMIN).out != first.out
    assert not signed_in.entry(ADMIN).exists()
    signed_in.run("credentials", ADMIN)
    assert broker.asked[ASKED] == 3
    assert not signed_in.entry(ADMIN).exists()


def test_logout_takes_everything_that_was_kept(signed_in: Machine, broker: Broker) -> None:
    signed_in.run("credentials", ADMIN)
    signed_in.run("roles")
    done = signed_in.run("logout")
    assert done.code == 0, done
    assert sorted(signed_in.passes.iterdir()) == []
    assert broker.asked["POST /oauth/revoke"] == 1 and not broker.refresh
    assert signed_in.run("credentials", ADMIN).code == 3
    assert signed_in.run("logout").code == 0


def test_logout_forgets_here_even_where_the_broker_is_down(signed_in: Machine, broker: Broker) -> None:
    signed_in.run("credentials", ADMIN)
    broker.close()
    done = signed_in.run("logout")
    assert done.code == 5 and "Signed out here" in done.err
    assert sorted(signed_in.passes.iterdir()) == []
    assert signed_in.run("credentials", ADMIN).code == 3


def test_another_person_finds_nothing_of_the_first(signed_in: Machine, broker: Broker) -> None:
    first = signed_in.run("credentials", ADMIN).document
    broker.person = {"source": "corp", "subject": "u2", "username": "ben"}
    assert signed_in.run("login").code == 0
    assert sorted(signed_in.passes.iterdir()) == []
    again = signed_in.run("credentials", ADMIN).document
    assert "/ana" in first["SecretAccessKey"] and "/ben" in again["SecretAccessKey"]


def test_the_same_person_keeps_the_cache(signed_in: Machine, broker: Broker) -> None:
    first = signed_in.run("credentials", ADMIN)
    assert signed_in.run("login").code == 0
    assert signed_in.run("credentials", ADMIN).out == first.out


def test_an_answer_that_comes_after_a_change_of_person_is_not_kept(
    signed_in: Machine, broker: Broker
) -> None:
    broker.pause = 3.0
    slow = signed_in.start("credentials", ADMIN)
    assert until(lambda: broker.asked[ASKED] == 1)
    broker.person = {"source": "corp", "subject": "u2", "username": "ben"}
    assert signed_in.run("login").code == 0
    out, _ = slow.communicate(timeout=60)
    assert "/ana" in json.loads(out)["SecretAccessKey"]
    assert not signed_in.entry(ADMIN).exists()


def test_a_list_of_roles_that_comes_after_a_change_of_person_is_not_kept(
    signed_in: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, answer = context(signed_in), session.answer
    monkeypatch.setattr(
        roles.session, "answer", lambda *words, **more: (answer(*words, **more)[0], "another")
    )
    listed = roles.mine(here)
    assert listed and roles.cached(here) is None
    monkeypatch.undo()
    assert roles.mine(here) == listed == roles.cached(here)


def test_a_full_disk_is_no_reason_to_give_no_roles(
    signed_in: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise Unwritable("Full.")

    here = context(signed_in)
    monkeypatch.setattr(roles.files, "write", full)
    assert roles.mine(here) and roles.cached(here) is None


def test_an_answer_that_cannot_be_written_is_exit_7_in_words(signed_in: Machine) -> None:
    with open("/dev/full", "w", encoding="ascii") as full:
        for words in (("credentials", ADMIN), ("completion", "bash")):
            done = signed_in.run(*words, stdout=full)
            assert done.code == 7 and "The answer cannot be written." in done.err
            assert "Traceback" not in done.err and "Exception" not in done.err
    closed = f'"{signed_in.program}" completion bash >&-'
    assert signed_in.run(command=["/bin/sh", "-c", closed]).err == ""


@pytest.mark.parametrize("skew", [-7200.0, 7200.0])
def test_a_clock_that_is_wrong_here_serves_nothing_that_has_run_out(
    signed_in: Machine, broker: Broker, skew: float
) -> None:
    broker.skew = skew
    assert signed_in.run("credentials", ADMIN).code == 0
    renewal = signed_in.entry(ADMIN).stat().st_mtime
    assert abs(renewal - time.time() - 40 * MINUTE) < 60


def test_a_clock_set_back_makes_what_is_there_old(signed_in: Machine, broker: Broker) -> None:
    first = signed_in.run("credentials", ADMIN)
    signed_in.age(ADMIN, -90 * MINUTE)
    later = time.time() + 90 * MINUTE
    os.utime(signed_in.passes, (later, later))
    for run in (signed_in.run, signed_in.python):
        assert run("credentials", ADMIN, environ={"PATH": "/nowhere"}).out != first.out
        signed_in.age(ADMIN, -90 * MINUTE)
        os.utime(signed_in.passes, (later, later))


def test_a_clock_set_forward_asks_again(signed_in: Machine, broker: Broker) -> None:
    signed_in.run("credentials", ADMIN)
    signed_in.age(ADMIN, 86_400)
    assert signed_in.run("credentials", ADMIN).code == 0
    assert broker.asked[ASKED] == 2


def test_an_access_token_that_was_ended_is_refreshed_once(signed_in: Machine, broker: Broker) -> None:
    broker.end_access()
    assert signed_in.run("credentials", ADMIN).code == 0
    assert broker.asked["POST /oauth/token"] == 2
    assert len(signed_in.opened) == 1


def test_a_sign_in_that_was_ended_is_exit_3_with_the_brokers_words(
    signed_in: Machine, broker: Broker
) -> None:
    broker.end_all()
    done = signed_in.run("credentials", ADMIN)
    assert done.code == 3 and "Not good any more" in done.err and "req-2" in done.err
    assert broker.asked["POST /oauth/token"] == 2
    assert signed_in.run("credentials", ADMIN).code == 3
    assert broker.asked["POST /oauth/token"] == 2, "what is known to be over is not asked again"
    assert signed_in.run("credentials", "--login", ADMIN).code == 0
    assert len(signed_in.opened) == 2


def test_a_token_near_its_end_is_refreshed_before_it_is_used(machine: Machine, broker: Broker) -> None:
    broker.access_life = 30.0
    machine.run("login")
    assert machine.run("credentials", ADMIN).code == 0
    assert broker.asked["POST /oauth/token"] == 2
    assert broker.asked[ASKED] == 1


def test_nothing_is_open_to_others(signed_in: Machine, broker: Broker) -> None:
    signed_in.run("credentials", ADMIN)
    signed_in.run("roles")
    signed_in.run("login", "--browser", str(signed_in.browser))
    assert signed_in.open_to_others() == []


def test_no_secret_is_on_stderr_or_in_the_state_that_is_not_owner_only(
    signed_in: Machine, broker: Broker
) -> None:
    done = signed_in.run("credentials", ADMIN)
    assert done.document["SecretAccessKey"] not in done.err


def test_short_names_are_resolved(signed_in: Machine, broker: Broker) -> None:
    for name in ("production/Admin", "prod/a", "Admin", "111122223333/Adm"):
        assert signed_in.run("credentials", name).document["AccountId"] == "111122223333"
    assert broker.asked["GET /v1/roles"] == 1
    assert broker.asked[ASKED] == 1


def test_a_name_that_can_mean_two_lists_them(signed_in: Machine, broker: Broker) -> None:
    broker.roles.append(
        {**broker.roles[0], "arn": ADMIN.replace("1111", "9999"), "account_name": "prototype"}
    )
    done = signed_in.run("credentials", "pro/Admin")
    assert done.code == 2 and "production/Admin" in done.err and "prototype/Admin" in done.err
    assert signed_in.run("credentials", "nothing").code == 4


def test_an_unknown_command_is_told_what_there_is_for_people(signed_in: Machine) -> None:
    ran = signed_in.run("nonsense")
    assert ran.code == 2
    assert "login" in ran.err and "completion" in ran.err and "__" not in ran.err
