"""Sealed documents: for one row each, those of a daypass before seals covered the row's name included."""

from __future__ import annotations

import base64
import json
import logging

import pytest
from cryptography.fernet import Fernet

from app.sealing import Sealer
from app.store.sealed import Sealed

KEY = base64.urlsafe_b64encode(bytes(range(32)))
DOCUMENT = {"scope": ["roles"], "client": "cli", "name": "Zoë \ud800"}


def sealed(kind: str = "codes", *keys: bytes) -> Sealed:
    return Sealed(Sealer(keys or (KEY,)), kind)


def before(row: str, key: bytes = KEY) -> str:
    """As `close` wrote it before."""
    envelope = json.dumps(
        {"row": f"codes/{row}", "document": DOCUMENT}, separators=(",", ":"), sort_keys=True
    )
    return Fernet(key).encrypt(envelope.encode("ascii")).decode("ascii")


@pytest.mark.parametrize("text", [sealed().close("1", DOCUMENT), before("1")], ids=["now", "before"])
def test_a_document_opens_for_its_row_alone(text, caplog):
    caplog.set_level(logging.WARNING, logger="daypass.store")
    assert sealed().open("1", text) == DOCUMENT
    assert not caplog.records
    assert sealed().open("2", text) is None
    assert sealed("sessions").open("1", text) is None
    assert sealed("codes", Fernet.generate_key()).open("1", text) is None
    assert [record.message for record in caplog.records] == ["a row cannot be read"] * 3
    assert [record.kind for record in caplog.records] == ["codes", "sessions", "codes"]


@pytest.mark.parametrize("text", [sealed().close("1", DOCUMENT), before("1")], ids=["now", "before"])
def test_it_opens_after_a_rotation_of_keys(text):
    assert sealed("codes", Fernet.generate_key(), KEY).open("1", text) == DOCUMENT


def test_a_text_of_before_cannot_pass_for_one_of_now():
    # Neither with the mark nor by saying in the document what an envelope says.
    forged = sealed().close("1", {"row": "codes/2", "document": DOCUMENT})
    assert sealed().open("2", forged) is None
    assert sealed().open("2", forged[2:]) is None
    assert sealed().open("1", f"2.{before('1')}") is None
