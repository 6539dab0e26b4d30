"""Passwords: which are taken, how they are hashed, and who gets a place for it."""

from __future__ import annotations

import threading
import unicodedata
from concurrent.futures import ThreadPoolExecutor

import argon2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Busy, PasswordRefused, Unavailable
from app.signin import passwords
from app.signin.passwords import Hashing, check_new

ABOUT = ("ana.lee", "ana.lee@acme.example", "Acme Ltd")
GOOD = "correct horse battery"


def cheap(**given) -> Hashing:
    return Hashing(**{"memory_kib": 8, "passes": 1, "lanes": 1, **given})


# --- which are taken ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "password",
    [
        GOOD,
        "Xq7vLw2pTz9k",
        "4917 2026 7781 33",
        "ana likes green tea",
        "acme correct horse battery",
        "ぱすわーどはながいほうがいい",
        "x" + "🐴🔋📎🎻" * 3 + "y",
        "rüben-zwölf-äpfel",
        "Kz4!" + "x7Qp-r2Wm_" * 25 + "hi",
    ],
)
def test_long_ones_that_nobody_guesses_first_are_taken(password):
    check_new(password, ABOUT)


REFUSED = {
    "too short": ["", "short", "elevenchars", "e\u0301" * 11],
    "too long": ["Xq7v" * 64 + "!", "🐴" * 257, "x" * 1_000_000, "\ud800" * 12],
    "control characters": ["correct\nhorse battery", "correct horse\x00battery", "correct\thorse\tbattery"],
    "common": [
        "password1234",
        "PASSWORD1234",
        "ｐａｓｓｗｏｒｄ１２３４",
        "p@ssw0rd1234",
        "!!Dragon2026!!",
        "letmein letmein",
        "trustno1trustno1",
        "trustno1-trustno1-trus",
        "qwertyuiop[]",
        "1qaz2wsx3edc",
        "abcdefghijkl",
        "mlkjihgfedcba",
        "123456789012",
        "987654321098",
        "7890 1234 5678",
        "aaaaaaaaaaaa",
        "q7q7q7q7q7q7",
        "            ",
        "------------",
        "unfortunately",
        "Christopher99",
    ],
    "about the person": [
        "ana.lee-acme-2026",
        "Ana.Lee@Acme.Example",
        "acmeacmeacme1",
        "acmepassword12",
        "ACME ltd 2026!",
        "ana.lee 2026 ana",
    ],
}


@pytest.mark.parametrize(
    ("why", "password"),
    [(why, each) for why, several in REFUSED.items() for each in several],
    ids=lambda v: v[:20],
)
def test_others_are_refused_with_the_reason(why, password):
    with pytest.raises(PasswordRefused) as refused:
        check_new(password, ABOUT)
    assert refused.value.detail == why
    assert refused.value.words != PasswordRefused.default_words
    assert len(password) < 4 or password not in refused.value.words


def test_without_anything_known_about_the_person_only_the_lists_count():
    check_new("ana.lee-acme-2026")
    with pytest.raises(PasswordRefused):
        check_new("password1234")


def test_the_lists_are_zxcvbns_and_whole():
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    words = {word for words in FREQUENCY_LISTS.values() for word in words}
    assert len(words) > 90_000
    assert list(passwords._common_words()) == sorted({passwords._digest(word) for word in words})
    for word in (word for word in words if len(word) >= 12):
        with pytest.raises(PasswordRefused):
            check_new(word)


@given(st.text(), st.lists(st.text(), max_size=3))
def test_any_text_is_taken_or_refused_and_nothing_else(password, about):
    try:
        check_new(password, about)
    except PasswordRefused:
        return
    assert 12 <= len(unicodedata.normalize("NFC", password)) <= 256


# --- hashing --------------------------------------------------------------------------------------


def test_it_is_argon2id_with_the_parameters_of_rfc_9106_for_little_memory():
    encoded = Hashing().hash(GOOD)
    assert encoded.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert argon2.PasswordHasher().verify(encoded, GOOD)


def test_the_password_and_no_other():
    hashing = cheap()
    encoded = hashing.hash(GOOD)
    assert hashing.verify(encoded, GOOD, reserved=False)
    assert hashing.verify(encoded, GOOD, reserved=True)
    assert not hashing.verify(encoded, GOOD + " ", reserved=False)
    assert not hashing.verify(encoded, GOOD.title(), reserved=False)
    assert encoded != hashing.hash(GOOD)


@pytest.mark.parametrize(
    ("chosen", "typed"),
    [
        ("zwölf-äpfel-rüben", "zwo\u0308lf-a\u0308pfel-ru\u0308ben"),
        ("correct horse battery", "correct\u00a0horse\u2003battery"),
    ],
)
def test_it_is_the_same_password_on_another_keyboard(chosen, typed):
    hashing = cheap()
    assert hashing.verify(hashing.hash(chosen), typed, reserved=False)
    assert hashing.verify(hashing.hash(typed), chosen, reserved=False)


def test_nobody_has_the_password_of_those_who_have_none():
    hashing = cheap()
    assert not hashing.verify("", "", reserved=False)
    assert not hashing.verify("", GOOD, reserved=False)


def test_whoever_does_not_exist_costs_what_others_cost(monkeypatch):
    """The same work: one argon2id run of the same parameters, with salts and results of the same length."""
    runs = []
    real = argon2.PasswordHasher.verify

    def counted(self, encoded, password):
        runs.append(argon2.extract_parameters(encoded))
        return real(self, encoded, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", counted)
    hashing = cheap(passes=2)
    known = hashing.hash(GOOD)
    for encoded in (known, "", known, ""):
        assert not hashing.verify(encoded, "not the password", reserved=False)
    assert len(runs) == 4
    assert all(each == runs[0] for each in runs)


@pytest.mark.parametrize("password", ["x" * 1025, "🐴" * 257, "\ud800"])
def test_what_is_too_long_is_not_hashed(password, monkeypatch):
    hashing = cheap()
    encoded = hashing.hash(GOOD)
    monkeypatch.setattr(argon2.PasswordHasher, "verify", lambda *_: pytest.fail("hashed"))
    monkeypatch.setattr(argon2.PasswordHasher, "hash", lambda *_: pytest.fail("hashed"))
    assert not hashing.verify(encoded, password, reserved=False)
    with pytest.raises(PasswordRefused):
        hashing.hash(password)


@pytest.mark.parametrize("encoded", ["x", "$argon2id$v=19$m=8,t=1,p=1$AAAA", "$2b$12$" + "a" * 53])
def test_a_hash_that_is_damaged_is_no_answer(encoded):
    with pytest.raises(Unavailable) as refused:
        cheap().verify(encoded, GOOD, reserved=False)
    assert encoded not in refused.value.detail


def test_other_parameters_than_todays_call_for_a_new_hash():
    encoded = cheap().hash(GOOD)
    assert not cheap().needs_rehash(encoded)
    assert cheap(passes=2).needs_rehash(encoded)
    assert cheap(memory_kib=16).needs_rehash(encoded)
    assert cheap(passes=2).verify(encoded, GOOD, reserved=False)
    assert cheap().needs_rehash("x")


# --- places ---------------------------------------------------------------------------------------


class Held:
    """A hasher whose work lasts until it is let go; counts how many are at it."""

    def __init__(self) -> None:
        self.at_work = threading.Semaphore(0)
        self.go = threading.Event()
        self.now = 0
        self.most = 0
        self._lock = threading.Lock()

    def verify(self, encoded, password):
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
        self.at_work.release()
        assert self.go.wait(60)
        with self._lock:
            self.now -= 1
        return True

    def wait_for(self, many: int) -> None:
        for _ in range(many):
            assert self.at_work.acquire(timeout=60)


@pytest.fixture
def crowd():
    with ThreadPoolExecutor(24) as pool:
        yield pool


def held(**given) -> tuple[Hashing, Held]:
    hashing, work = cheap(**given), Held()
    hashing._hasher = work
    return hashing, work


def in_line(hashing: Hashing, many: int) -> None:
    """Wait until so many guessers wait for a place."""
    pause = threading.Event()
    for _ in range(60_000):
        if len(hashing._places._lines[False]) >= many:
            return
        pause.wait(0.001)
    raise AssertionError("nobody came")


def test_guessers_never_take_the_reserved_place(crowd):
    hashing, work = held(patience=60)
    guesses = [
        crowd.submit(hashing.verify, "", "guess", reserved=False) for _ in range(2 + passwords.WAITING)
    ]
    work.wait_for(2)
    owner = crowd.submit(hashing.verify, "", "mine", reserved=True)
    work.wait_for(1)
    assert work.now == 3
    assert not any(each.done() for each in guesses)
    work.go.set()
    assert owner.result(60)
    assert all(each.result(60) for each in guesses)
    assert work.most == 3


def test_those_with_a_known_device_may_take_any_place(crowd):
    hashing, work = held(patience=60)
    owners = [crowd.submit(hashing.verify, "", "mine", reserved=True) for _ in range(4)]
    work.wait_for(3)
    assert work.now == 3
    work.go.set()
    assert all(each.result(60) for each in owners)
    assert work.most == 3


def test_who_finds_no_place_in_time_is_told_so_and_the_place_is_whole_afterwards(crowd):
    hashing, work = held(patience=0.01)
    guesses = [crowd.submit(hashing.verify, "", "guess", reserved=False) for _ in range(2)]
    work.wait_for(2)
    with pytest.raises(Busy) as refused:
        hashing.verify("", "guess", reserved=False)
    assert refused.value.retry_after == 2
    owner = crowd.submit(hashing.verify, "", "mine", reserved=True)
    work.wait_for(1)
    with pytest.raises(Busy):
        hashing.verify("", "mine", reserved=True)
    work.go.set()
    assert all(each.result(60) for each in (*guesses, owner))
    assert hashing.verify("", "guess", reserved=False)


def test_a_long_line_holds_no_more_threads(crowd):
    hashing, work = held(patience=60, waiting=3)
    first = [crowd.submit(hashing.verify, "", "guess", reserved=False) for _ in range(2)]
    work.wait_for(2)
    waiting = [crowd.submit(hashing.verify, "", "guess", reserved=False) for _ in range(3)]
    in_line(hashing, 3)
    with pytest.raises(Busy):
        hashing.verify("", "guess", reserved=False)
    owner = crowd.submit(hashing.verify, "", "mine", reserved=True)
    work.wait_for(1)
    work.go.set()
    assert all(each.result(60) for each in (*first, *waiting, owner))


def test_first_come_first_served(crowd):
    hashing = cheap(at_once=1, reserved=0, patience=60)
    served = []
    gate, begun = threading.Event(), threading.Event()

    class One:
        def verify(self, encoded, password):
            begun.set()
            assert gate.wait(60)
            served.append(password)
            return True

    hashing._hasher = One()
    done = [crowd.submit(hashing.verify, "", "0", reserved=False)]
    assert begun.wait(60)
    for at in range(1, 6):
        done.append(crowd.submit(hashing.verify, "", str(at), reserved=False))
        in_line(hashing, at)
    gate.set()
    assert all(each.result(60) for each in done)
    assert served == ["0", "1", "2", "3", "4", "5"]


def test_a_place_is_given_back_whatever_happens():
    hashing = cheap(at_once=1, reserved=1, patience=0.01)
    for _ in range(3):
        for reserved in (False, True):
            with pytest.raises(Unavailable):
                hashing.verify("damaged", GOOD, reserved=reserved)
    assert hashing.verify(hashing.hash(GOOD), GOOD, reserved=False)


def test_many_threads_at_once_are_each_told_the_truth(crowd):
    hashing = cheap(patience=60, waiting=100)
    encoded = {name: hashing.hash(f"{name} has this password") for name in ("ana", "bob", "eve")}
    asked = [(name, other, at % 2 == 0) for at in range(6) for name in encoded for other in encoded]
    told = crowd.map(
        lambda a: hashing.verify(encoded[a[0]], f"{a[1]} has this password", reserved=a[2]), asked
    )
    assert list(told) == [name == other for name, other, _ in asked]
