"""The OpenAPI document against the API itself: whatever is sent, the answer is one that is documented."""

from __future__ import annotations

from datetime import timedelta

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from schemathesis.config import SchemathesisConfig

from app.model import Entitlement
from app.web.listing import find, piece
from tests.web.builders import FORBIDDEN, ROLES, FakeBroker, World, role, session

pytestmark = pytest.mark.alone  # schemathesis gives its tests one name

TOKEN = "fuzz" * 10
MANY = tuple(Entitlement(role(f"R{n}", f"{n:012d}", f"account-{n}")) for n in range(20))


def world() -> World:
    broker = FakeBroker(entitlements=(*(Entitlement(item) for item in ROLES), *MANY))
    broker.cookies[TOKEN] = session(expires_at=session().expires_at + timedelta(days=1))
    return World(broker=broker)


WORLD = world()
ARNS = [*(item.arn for item in ROLES), FORBIDDEN, "arn:aws:iam::999999999999:role/Nope"]
CURSORS = [piece(find(MANY, ""), limit, None).cursor for limit in range(1, 10)]
schemathesis.openapi.format("role-arn", st.sampled_from(ARNS))
schemathesis.openapi.format("cursor", st.sampled_from(CURSORS))

# The session is given by the class below; what happens without one is the table's test.
CONFIG = SchemathesisConfig.from_dict({"generation": {"with-security-parameters": False}})
schema = schemathesis.openapi.from_wsgi("/v1/openapi.json", WORLD.app, config=CONFIG)


@schema.auth()
class SignedIn:
    def get(self, case, context):
        return TOKEN

    def set(self, case, data, context):
        case.cookies = {**(case.cookies or {}), "daypass": data}


@pytest.fixture(scope="module", autouse=True)
def the_fuzzing_reaches_the_broker():
    yield
    for method in ("roles", "credentials", "console_link"):
        assert WORLD.broker.times(method) > 10


@schema.parametrize()
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_answer_is_documented(case):
    WORLD.broker.cookies.setdefault(TOKEN, session())
    case.call_and_validate()
