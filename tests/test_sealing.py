"""Encryption at rest: what is sealed opens under our keys only, and for what it was sealed for only."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from app import sealing
from app.errors import Unavailable
from app.sealing import Sealer, has_name

OLD, NEW, FOREIGN = (Fernet.generate_key() for _ in range(3))
KEPT = base64.urlsafe_b64encode(bytes(range(32)))
NAME = "sessions/1f3a"


@given(st.binary(max_size=2000), st.text(max_size=200))
def test_what_is_sealed_opens_as_it_was_and_does_not_show(data, name):
    sealed = Sealer([NEW]).seal(data, name)
    assert Sealer([NEW]).open(sealed, name) == data
    assert has_name(sealed)
    assert sealed.isascii()
    assert len(data) < 8 or data not in sealed.encode()


def test_the_same_data_never_seals_to_the_same_text():
    assert Sealer([NEW]).seal(b"data", NAME) != Sealer([NEW]).seal(b"data", NAME)


def test_after_a_rotation_old_seals_open_and_new_ones_need_the_new_key():
    rotated = Sealer([NEW, OLD])
    assert rotated.open(Sealer([OLD]).seal(b"data", NAME), NAME) == b"data"
    with pytest.raises(Unavailable):
        Sealer([OLD]).open(rotated.seal(b"data", NAME), NAME)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda sealed: Sealer([FOREIGN]).seal(b"data", NAME),
        lambda sealed: sealed[:-4] + ("AAAA" if sealed[-4:] != "AAAA" else "BBBB"),
        lambda sealed: sealed[:-1],
        lambda sealed: sealed + "é",
        lambda sealed: "",
        lambda sealed: "not base64 \x00",
        lambda sealed: sealed[:2],
        lambda sealed: sealed[:14],
        lambda sealed: sealed[:2] + "not base64 \x00",
        lambda sealed: sealed[:30] + "\n" + sealed[30:],
        lambda sealed: sealed[2:],
        lambda sealed: Fernet(NEW).encrypt(b"data").decode(),
        lambda sealed: "2." + Fernet(NEW).encrypt(b"data").decode(),
    ],
    ids=[
        "foreign key",
        "altered",
        "cut",
        "not ASCII",
        "empty",
        "odd",
        "the mark alone",
        "cut in the nonce",
        "odd after the mark",
        "a line break",
        "no mark",
        "a Fernet token",
        "a Fernet token with the mark",
    ],
)
def test_what_we_did_not_seal_is_refused(spoil):
    sealed = Sealer([NEW]).seal(b"data", NAME)
    assert Sealer([NEW]).open(sealed, NAME) == b"data"
    with pytest.raises(Unavailable) as refused:
        Sealer([NEW]).open(spoil(sealed), NAME)
    assert refused.value.code == "unavailable"


@pytest.mark.parametrize("name", ["", "sessions/1f3", "sessions/1f3a ", "pending/1f3a"])
def test_what_is_sealed_for_another_name_is_refused(name):
    sealed = Sealer([NEW]).seal(b"data", NAME)
    with pytest.raises(Unavailable):
        Sealer([NEW]).open(sealed, name)


def test_no_bit_of_a_text_can_be_another():
    sealer = Sealer([NEW])
    sealed = base64.b64decode(sealer.seal(b"data", NAME)[2:])
    for at in range(len(sealed) * 8):
        other = bytearray(sealed)
        other[at // 8] ^= 1 << at % 8
        with pytest.raises(Unavailable):
            sealer.open("2." + base64.b64encode(other).decode(), NAME)


# --- texts that are in databases ----------------------------------------------------------------------


@pytest.mark.parametrize("keys", [[KEPT], [NEW, KEPT]], ids=["first key", "second key"])
def test_texts_that_were_sealed_once_open_for_ever(keys):
    fernet = (
        "gAAAAABlU_EAuWNSXzPJTQSD6WdtPr0QSjvFlwq525cxhZ5-Wy6wUILBRMwx-uszoWyDpdblPNOuhX-u"
        "Or2GxJ7BIMbu5lcu_gpLRYX_zp09C2-fYFWsaTQ="
    )
    named = "2.zvl3XvUxhwLemT3ZuACnCoDLNfv7AVhCFEBVemB3Duk="
    assert Sealer(keys).open_nameless(fernet) == b"of a daypass before names"
    assert not has_name(fernet)
    assert Sealer(keys).open(named, NAME) == b"data"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: Fernet(FOREIGN).encrypt(b"data").decode(),
        lambda token: token[:-1],
        lambda token: token + "é",
        lambda token: "",
        lambda token: Sealer([NEW]).seal(b"data", NAME),
        lambda token: Sealer([NEW]).seal(b"data", NAME)[2:],
    ],
    ids=["foreign key", "cut", "not ASCII", "empty", "with a name", "with a name, no mark"],
)
def test_of_older_texts_too_what_we_did_not_seal_is_refused(spoil):
    token = Fernet(NEW).encrypt(b"data").decode()
    assert Sealer([NEW]).open_nameless(token) == b"data"
    with pytest.raises(Unavailable) as refused:
        Sealer([NEW]).open_nameless(spoil(token))
    assert refused.value.code == "unavailable"


# --- keys and ciphers ---------------------------------------------------------------------------------


def test_many_threads_may_use_one_sealer():
    sealer = Sealer([NEW, OLD])

    def there_and_back(number: int) -> bool:
        data, name = bytes([number % 256]) * number, f"sessions/{number}"
        return sealer.open(sealer.seal(data, name), name) == data

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(there_and_back, range(2000)))


def test_an_openssl_without_the_cipher_is_named(monkeypatch):
    def missing(key: bytes) -> None:
        raise UnsupportedAlgorithm("AES-GCM-SIV is not supported by this version of OpenSSL")

    monkeypatch.setattr(sealing, "AESGCMSIV", missing)
    with pytest.raises(Unavailable, match=r"AES-GCM-SIV.*3\.2"):
        Sealer([NEW])


@pytest.mark.parametrize("keys", [[], [b"short"], [NEW, b"secret-but-no-key"], [""]])
def test_keys_that_are_none_are_refused_without_quoting_them(keys):
    with pytest.raises(Unavailable) as refused:
        Sealer(keys)
    assert "secret-but" not in refused.value.detail
    assert refused.value.__cause__ is None
