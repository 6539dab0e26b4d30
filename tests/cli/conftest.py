"""A broker and a machine for each test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.fake_broker import Broker
from tests.cli.machine import Machine

SOURCE = str(Path(__file__).resolve().parents[2] / "cli")
if SOURCE not in sys.path:
    sys.path.insert(0, SOURCE)


@pytest.fixture
def broker() -> Iterator[Broker]:
    made = Broker()
    yield made
    made.close()


@pytest.fixture
def machine(tmp_path: Path, broker: Broker) -> Machine:
    return Machine(tmp_path, broker.url)


@pytest.fixture
def signed_in(machine: Machine) -> Machine:
    done = machine.run("login")
    assert done.code == 0, done
    return machine
