"""Encryption at rest: what is sealed opens under our keys only."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Unavailable
from app.sealing import Sealer

OLD, NEW, FOREIGN = (Fernet.generate_key() for _ in range(3))


@given(st.binary(max_size=2000))
def test_what_is_sealed_opens_as_it_was_and_does_not_show(data):
    sealed = Sealer([NEW]).seal(data)
    assert Sealer([NEW]).open(sealed) == data
    assert sealed.isascii()
    assert len(data) < 8 or data not in sealed.encode()


def test_the_same_data_never_seals_to_the_same_text():
    assert Sealer([NEW]).seal(b"data") != Sealer([NEW]).seal(b"data")


def test_after_a_rotation_old_seals_open_and_new_ones_need_the_new_key():
    rotated = Sealer([NEW, OLD])
    assert rotated.open(Sealer([OLD]).seal(b"data")) == b"data"
    with pytest.raises(Unavailable):
        Sealer([OLD]).open(rotated.seal(b"data"))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda sealed: Sealer([FOREIGN]).seal(b"data"),
        lambda sealed: sealed[:-4] + ("AAAA" if sealed[-4:] != "AAAA" else "BBBB"),
        lambda sealed: sealed[:-1],
        lambda sealed: sealed + "é",
        lambda sealed: "",
        lambda sealed: "not base64 \x00",
    ],
    ids=["foreign key", "altered", "cut", "not ASCII", "empty", "odd"],
)
def test_what_we_did_not_seal_is_refused(spoil):
    sealed = Sealer([NEW]).seal(b"data")
    assert Sealer([NEW]).open(sealed) == b"data"
    with pytest.raises(Unavailable) as refused:
        Sealer([NEW]).open(spoil(sealed))
    assert refused.value.code == "unavailable"


@pytest.mark.parametrize("keys", [[], [b"short"], [NEW, b"secret-but-no-key"], [""]])
def test_keys_that_are_none_are_refused_without_quoting_them(keys):
    with pytest.raises(Unavailable) as refused:
        Sealer(keys)
    assert "secret-but" not in refused.value.detail
    assert refused.value.__cause__ is None
