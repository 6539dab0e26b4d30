"""The key file: made once, whole, for one pair of eyes; damaged or open ones are refused by name."""

from __future__ import annotations

import json
import multiprocessing
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from app.errors import KeysUnusable
from app.keyring import MAX_SIZE, Keyring, load_or_create

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Keyring]:
    path = tmp_path_factory.mktemp("state") / "deeper" / "keys"
    return path, load_or_create(path, NOW)


@pytest.fixture
def copy(made: tuple[Path, Keyring], tmp_path: Path) -> Path:
    path = tmp_path / "keys"
    path.touch(mode=0o600)
    path.write_bytes(made[0].read_bytes())
    return path


def test_the_file_is_made_at_first_start_and_used_from_then_on(made: tuple[Path, Keyring]) -> None:
    path, keyring = made
    assert load_or_create(path, NOW + timedelta(days=400)) == keyring


def test_nobody_else_may_read_it_and_nothing_is_left_beside_it(made: tuple[Path, Keyring]) -> None:
    path, _ = made
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_the_keys_are_what_they_are_said_to_be(made: tuple[Path, Keyring]) -> None:
    _, keyring = made
    key = serialization.load_pem_private_key(keyring.saml_key, None)
    certificate = x509.load_pem_x509_certificate(keyring.saml_certificate)
    assert isinstance(key, rsa.RSAPrivateKey)
    assert key.key_size == 3072
    assert key.public_key() == certificate.public_key()
    assert certificate.not_valid_before_utc <= NOW
    assert timedelta(days=3650) < certificate.not_valid_after_utc - NOW < timedelta(days=3654)
    assert len(keyring.sealing_keys) == 1
    assert Fernet(keyring.sealing_keys[0]).decrypt(Fernet(keyring.sealing_keys[0]).encrypt(b"x")) == b"x"


def test_two_files_hold_different_keys(made: tuple[Path, Keyring], tmp_path: Path) -> None:
    other = load_or_create(tmp_path / "keys", NOW)
    assert other.saml_key != made[1].saml_key
    assert other.sealing_keys != made[1].sealing_keys


def test_secrets_are_not_shown(made: tuple[Path, Keyring]) -> None:
    shown = repr(made[1])
    assert "PRIVATE" not in shown
    assert made[1].sealing_keys[0].decode() not in shown
    assert "BEGIN CERTIFICATE" in shown


def start(path: str, answers: multiprocessing.Queue[bytes]) -> None:
    keyring = load_or_create(Path(path), NOW)
    answers.put(keyring.saml_key + keyring.sealing_keys[0])


def test_processes_that_start_at_once_agree(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    answers: multiprocessing.Queue[bytes] = context.Queue()
    workers = [context.Process(target=start, args=(str(tmp_path / "keys"), answers)) for _ in range(4)]
    for worker in workers:
        worker.start()
    kept = {answers.get(timeout=60) for _ in workers}
    for worker in workers:
        worker.join(60)
    assert len(kept) == 1
    assert list(tmp_path.iterdir()) == [tmp_path / "keys"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o660, 0o666, 0o777])
def test_a_file_that_others_can_use_is_refused_and_its_twin_is_not(copy: Path, mode: int) -> None:
    copy.chmod(mode)
    with pytest.raises(KeysUnusable, match="can be used by others") as refused:
        load_or_create(copy, NOW)
    assert str(copy) in refused.value.detail
    assert f"{mode:04o}" in refused.value.detail
    copy.chmod(0o400)
    assert load_or_create(copy, NOW).sealing_keys


def test_a_file_of_another_user_is_refused(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() == 0:
        os.chown(copy, 12345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(KeysUnusable, match="another user"):
        load_or_create(copy, NOW)


def changed(**fields: object) -> object:
    return lambda kept: json.dumps({**kept, **fields})


def foreign_key() -> str:
    return (
        ec.generate_private_key(ec.SECP256R1())
        .private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        .decode()
    )


def another_rsa_key() -> str:
    return (
        rsa.generate_private_key(public_exponent=65537, key_size=2048)
        .private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        .decode()
    )


DAMAGE = {
    "empty": lambda kept: "",
    "cut off": lambda kept: json.dumps(kept)[:-30],
    "not JSON": lambda kept: "-----BEGIN PRIVATE KEY-----",
    "a list": lambda kept: "[]",
    "a number": lambda kept: "7",
    "too deep": lambda kept: "[" * 100_000,
    "no version": lambda kept: json.dumps({k: v for k, v in kept.items() if k != "version"}),
    "another version": changed(version=2),
    "no key": lambda kept: json.dumps({k: v for k, v in kept.items() if k != "saml_key"}),
    "a key that is none": changed(saml_key="x"),
    "a key of another kind": lambda kept: json.dumps({**kept, "saml_key": foreign_key()}),
    "a key of another certificate": lambda kept: json.dumps({**kept, "saml_key": another_rsa_key()}),
    "a certificate that is none": changed(saml_certificate="x"),
    "a certificate that is no text": changed(saml_certificate=7),
    "a key with letters": changed(saml_key="é"),
    "no sealing keys": changed(sealing_keys=[]),
    "sealing keys that are none": changed(sealing_keys=["x"]),
    "sealing keys that are no list": changed(sealing_keys=None),
    "a sealing key that is too short": changed(sealing_keys=["QUJD"]),
    "bytes": lambda kept: b"\xff\xfe\x00",
    "too large": lambda kept: json.dumps(kept) + " " * MAX_SIZE,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_file_is_refused_by_name_and_left_as_it_is(copy: Path, damage: object) -> None:
    torn = damage(json.loads(copy.read_bytes()))  # type: ignore[operator]
    copy.write_bytes(torn if isinstance(torn, bytes) else torn.encode())
    before = copy.read_bytes()
    with pytest.raises(KeysUnusable) as refused:
        load_or_create(copy, NOW)
    assert str(copy) in refused.value.detail
    assert str(copy) not in refused.value.words
    assert refused.value.code == "keys.unusable"
    assert copy.read_bytes() == before


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeysUnusable, match=str(tmp_path)):
        load_or_create(tmp_path, NOW)


def test_a_place_where_nothing_can_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KeysUnusable, match="cannot be"):
        load_or_create(tmp_path / "file" / "keys", NOW)


def test_several_sealing_keys_are_kept_in_their_order(copy: Path) -> None:
    keys = [Fernet.generate_key().decode() for _ in range(3)]
    copy.write_text(json.dumps({**json.loads(copy.read_bytes()), "sealing_keys": keys}))
    assert load_or_create(copy, NOW).sealing_keys == tuple(key.encode() for key in keys)
