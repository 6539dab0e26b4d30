"""The store: one repository per noun over one database."""

from __future__ import annotations

from contextlib import AbstractContextManager

from app.errors import StoreUnavailable
from app.sealing import Sealer
from app.store.alerts import Alerts
from app.store.audit import AuditRecords
from app.store.challenges import Challenges
from app.store.codes import Codes
from app.store.database import Database
from app.store.devices import Devices
from app.store.factors import Factors
from app.store.guesses import Guesses
from app.store.identities import Identities
from app.store.known_devices import KnownDevices
from app.store.links import Links
from app.store.once import OnceOnlyMarks
from app.store.opening import open_database
from app.store.pending import PendingSignIns
from app.store.people import People
from app.store.provider_metadata import ProviderMetadata
from app.store.recoveries import Recoveries
from app.store.recovery_codes import RecoveryCodes
from app.store.refresh_tokens import RefreshTokens
from app.store.refusals import Refusals
from app.store.revisions import Revisions
from app.store.root_uses import RootUses
from app.store.sessions import Sessions
from app.store.token_keys import TokenKeys
from app.store.users import Users


class Store:
    """What the broker remembers. Safe to use from many threads; each process opens its own."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self.pending = PendingSignIns(database, sealer)
        self.once = OnceOnlyMarks(database)
        self.sessions = Sessions(database, sealer)
        self.codes = Codes(database, sealer)
        self.devices = Devices(database, sealer)
        self.refresh_tokens = RefreshTokens(database, sealer)
        self.token_keys = TokenKeys(database, sealer)
        self.identities = Identities(database, sealer)
        self.people = People(database)
        self.users = Users(database, sealer)
        self.factors = Factors(database, sealer)
        self.recovery_codes = RecoveryCodes(database)
        self.challenges = Challenges(database, sealer)
        self.guesses = Guesses(database)
        self.links = Links(database, sealer)
        self.known_devices = KnownDevices(database, sealer)
        self.recoveries = Recoveries(database, sealer)
        self.root_uses = RootUses(database, sealer)
        self.alerts = Alerts(database, sealer)
        self.revisions = Revisions(database)
        self.provider_metadata = ProviderMetadata(database)
        self.refusals = Refusals(database)
        self.audit = AuditRecords(database)

    def settling(self) -> AbstractContextManager[None]:
        """A block of one request's steps, of which those that only its end makes good are durable at its end.

        Such a step (a code that is used up, a token that is bound, an identity that is made) is seen by everybody as
        soon as it is taken. So nobody is answered within. Raises StoreUnavailable at its end.
        """
        return self._database.settling()

    def settle(self) -> None:
        """For whoever answers with what was read only: what anybody sees by now is durable. Raises StoreUnavailable."""
        self._database.settle()

    def check(self) -> bool:
        """Whether the database answers, for readiness: one small read, never an exception."""
        try:
            self._database.schema()
        except StoreUnavailable:
            return False
        return True

    def takes_writes(self) -> bool:
        """Whether the database can make something durable (its disk is not full), never an exception."""
        try:
            self._database.rewrite_schema_version()
        except StoreUnavailable:
            return False
        return True

    def close(self) -> None:
        """Give the connections back; every later question is StoreUnavailable."""
        self._database.close()


def open_store(url: str, sealer: Sealer, *, migrate: bool = True) -> Store:
    """The store at `sqlite:///PATH` or `postgresql+psycopg://…`, its tables brought up to date first.

    Raises StoreUnavailable (see `open_database`).
    """
    return Store(open_database(url, migrate=migrate), sealer)
