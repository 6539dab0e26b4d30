"""Codes by time: the vectors of RFC 4226 and RFC 6238, drift, once only, and what people type."""

from __future__ import annotations

import base64
import hmac
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote, urlsplit

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import CodeWrong
from app.mfa import totp
from app.mfa.registry import KINDS
from app.mfa.seam import Made
from app.people import FactorAnswer

from .house import NOW, PARTY, factor, person

KIND = KINDS["totp"]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
VECTOR_SECRET = base64.b32encode(b"12345678901234567890").decode()
# RFC 4226, appendix D: counter -> code of six digits.
RFC_4226_D = [
    (0, "755224"),
    (1, "287082"),
    (2, "359152"),
    (3, "969429"),
    (4, "338314"),
    (5, "254676"),
    (6, "287922"),
    (7, "162583"),
    (8, "399871"),
    (9, "520489"),
]
# RFC 6238, appendix B: seconds -> code of eight digits, SHA-1.
RFC_6238_B = [
    (59, "94287082"),
    (1111111109, "07081804"),
    (1111111111, "14050471"),
    (1234567890, "89005924"),
    (2000000000, "69279037"),
    (20000000000, "65353130"),
]


def device(counter: int = -1, secret: str = VECTOR_SECRET, id: str = "f" * 16):
    return factor("totp", Made(facts={"secret": secret}, counter=counter), id=id)


def show(text: str, have, now):
    return KIND.verify(PARTY, have, {}, FactorAnswer("totp", text), now)


def code(step: int, secret: str = VECTOR_SECRET) -> str:
    return pyotp.HOTP(secret).at(step)


@pytest.mark.parametrize(("counter", "expected"), RFC_4226_D)
def test_rfc_4226_appendix_d(counter, expected):
    passed, step = show(expected, [device()], EPOCH + timedelta(seconds=30 * counter))
    assert (step, passed.methods, passed.phishing_resistant) == (counter, ("otp", "mfa"), False)


@pytest.mark.parametrize(("seconds", "expected"), RFC_6238_B)
def test_rfc_6238_appendix_b(seconds, expected):
    """Six digits are the last six of eight: both are remainders of the same number (RFC 4226, 5.3)."""
    now = EPOCH + timedelta(seconds=seconds)
    assert show(expected[-6:], [device()], now)[1] == seconds // 30
    other = f"{(int(expected[-6:]) + 1) % 1_000_000:06}"
    with pytest.raises(CodeWrong):
        show(other, [device()], now)


@pytest.mark.parametrize("off", [-1, 0, 1])
def test_a_clock_one_step_off_is_let_in_and_the_step_is_told(off):
    present = int(NOW.timestamp()) // 30
    assert show(code(present + off), [device()], NOW)[1] == present + off


@pytest.mark.parametrize("off", [-3, -2, 2, 3])
def test_a_clock_further_off_is_not(off):
    with pytest.raises(CodeWrong) as refused:
        show(code(int(NOW.timestamp()) // 30 + off), [device()], NOW)
    assert refused.value.detail == "no code of any device"


@pytest.mark.parametrize("after", [0, 1])
def test_a_step_that_was_accepted_or_passed_over_is_not_accepted_again(after):
    present = int(NOW.timestamp()) // 30
    with pytest.raises(CodeWrong) as refused:
        show(code(present), [device(counter=present + after)], NOW)
    assert refused.value.detail == totp.USED
    assert show(code(present), [device(counter=present - 1)], NOW)[1] == present


def test_a_step_that_was_used_does_not_shadow_the_next_with_the_same_code():
    secret, step = base64.b32encode((278).to_bytes(20, "big")).decode(), 639
    assert code(step, secret) == code(step + 1, secret) == "193602"
    now = EPOCH + timedelta(seconds=30 * (step + 1))
    assert show("193602", [device(secret=secret)], now)[1] == step
    assert show("193602", [device(counter=step, secret=secret)], now)[1] == step + 1
    with pytest.raises(CodeWrong):
        show("193602", [device(counter=step + 1, secret=secret)], now)


def test_of_several_devices_the_one_whose_code_it_is():
    present = int(NOW.timestamp()) // 30
    other = pyotp.random_base32()
    while code(present, other) in {code(present + off) for off in (-1, 0, 1)}:
        other = pyotp.random_base32()
    have = [device(id="1" * 16), device(id="2" * 16, secret=other)]
    assert show(code(present, other), have, NOW)[0].factor == have[1]
    assert show(code(present), have, NOW)[0].factor == have[0]
    with pytest.raises(CodeWrong):
        show(code(present), [], NOW)


@pytest.mark.parametrize(
    "typed", ["755 224", " 755224\n", "7 5 5 2 2 4", "755\u00a0224", "７５５２２４", "٧٥٥٢٢٤"]
)
def test_digits_as_people_type_them(typed):
    assert show(typed, [device()], EPOCH)[1] == 0


@pytest.mark.parametrize(
    "typed", ["", "75522", "7552240", "755-224", "75522x", "+75522", "75522²", " " * 65, "0" * 64]
)
def test_what_is_no_code_is_refused(typed):
    with pytest.raises(CodeWrong):
        show(typed, [device()], EPOCH)


@given(st.text())
def test_any_text_is_refused_or_is_the_code(text):
    try:
        _, step = show(text, [device()], EPOCH)
    except CodeWrong:
        return
    assert step in (0, 1)


def test_every_candidate_is_compared_in_constant_time_whichever_fits(monkeypatch):
    seen = []
    real = hmac.compare_digest
    monkeypatch.setattr(totp.hmac, "compare_digest", lambda a, b: seen.append(a) or real(a, b))
    present = int(NOW.timestamp()) // 30
    for off in (-1, 0, 1):
        seen.clear()
        show(code(present + off), [device()], NOW)
        assert seen == [code(present - 1), code(present), code(present + 1)]


def test_a_secret_is_160_random_bits_and_its_address_is_what_apps_read():
    begun = KIND.begin(PARTY, person(), ())
    assert len(base64.b32decode(begun.secret)) == 20
    assert begun.facts == {"secret": begun.secret}
    assert begun.secret != KIND.begin(PARTY, person(), ()).secret
    address = urlsplit(begun.uri)
    asked = parse_qs(address.query)
    assert (address.scheme, address.netloc, unquote(address.path)) == ("otpauth", "totp", "/Acme:ana")
    assert asked == {"secret": [begun.secret], "issuer": ["Acme"]}
    assert begun.secret not in repr(begun)


def test_a_device_is_kept_once_it_has_shown_its_code_which_is_used_up_by_it():
    begun = KIND.begin(PARTY, person(), ())
    present = int(NOW.timestamp()) // 30
    made = KIND.finish(
        PARTY, begun.facts, FactorAnswer("totp", pyotp.TOTP(begun.secret).at(int(NOW.timestamp()))), NOW
    )
    assert made.facts == {"secret": begun.secret}
    assert made.counter == present
    wrong = f"{(int(code(present, begun.secret)) + 1) % 1_000_000:06}"
    while wrong in {code(present + off, begun.secret) for off in (-1, 1)}:
        wrong = f"{(int(wrong) + 1) % 1_000_000:06}"
    with pytest.raises(CodeWrong):
        KIND.finish(PARTY, begun.facts, FactorAnswer("totp", wrong), NOW)
    with pytest.raises(CodeWrong):
        KIND.finish(PARTY, {}, FactorAnswer("totp", wrong), NOW)


def test_the_clock_asks():
    assert KIND.ask(PARTY, [device()]).facts == {}
