"""The fake broker's local people: passwords, factors, challenges, links and root, in memory."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from app.audit import Record, StoredRecord
from app.errors import (
    AskRefused,
    ChallengeOver,
    CodeWrong,
    CredentialsWrong,
    FactorsFull,
    FactorUnknown,
    LinkInvalid,
    MfaMissing,
    PasswordRefused,
    ProofNotRecent,
    SessionUnknown,
)
from app.model import Authentication, Caller, Identity, RoleArn, Session, SignedIn, SignInAsk, SourceId
from app.people import (
    LOCAL,
    MOST_FACTORS,
    ROOT,
    ROOT_FACTORS,
    Asked,
    ChallengePage,
    Enrolled,
    Enrolment,
    Factor,
    FactorAnswer,
    FactorKind,
    LinkPage,
    OwnFactors,
    StepUpAsk,
)

NOW = datetime(2026, 11, 24, 10, 10, tzinfo=UTC)
PASSWORD = "three-green-otters-wade"
ROOT_PASSWORD = "a-bell-nobody-rings-twice"
CODE = "287082"
KEY = '{"id": "a-security-key"}'
RECOVERY = tuple(f"fake{n}-code{n}" for n in range(10))
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
URI = f"otpauth://totp/Acme:lena?secret={SECRET}&issuer=Acme"
CREATE = json.dumps(
    {
        "rp": {"name": "Acme", "id": "localhost"},
        "user": {"id": "AAAA", "name": "lena", "displayName": "Lena"},
        "challenge": "Y2hhbGxlbmdl",
        "pubKeyCredParams": [{"type": "public-key", "alg": -7}],
        "excludeCredentials": [],
    }
)
GET = json.dumps({"challenge": "Y2hhbGxlbmdl", "rpId": "localhost", "allowCredentials": []})
LINK = "l" * 43
ROOT_LINK = "r" * 43


@dataclass
class Wanted:
    """A challenge as the fake remembers it."""

    purpose: str
    browser: str
    next: str
    who: Identity | None = None
    session: str = ""
    role: str = ""
    tries: int = 0
    kind: FactorKind = "totp"


@dataclass
class FakePeople:
    """Does what the broker promises of local people; `fail` makes a method raise."""

    now: datetime = NOW
    label: str = "Contractors"
    passwords: dict[str, str] = field(default_factory=lambda: {"lena": PASSWORD})
    factors: dict[tuple[str, str], list[Factor]] = field(default_factory=dict)
    recovery: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    wanted: dict[str, Wanted] = field(default_factory=dict)
    must_enrol: bool = False
    counts_later: bool = False
    recent: bool = True
    devices_seen: list[str] = field(default_factory=list)
    links: dict[str, LinkPage] = field(
        default_factory=lambda: {
            LINK: LinkPage("password", "lena", NOW + timedelta(hours=1)),
            ROOT_LINK: LinkPage("root", "root", NOW + timedelta(minutes=15)),
        }
    )
    history: list[StoredRecord] = field(default_factory=list)

    # --- for tests ----------------------------------------------------------------------------------

    def has(self, who: Identity, *kinds: FactorKind) -> None:
        """Give somebody devices, and recovery codes."""
        mine = self.factors.setdefault((who.source, who.subject), [])
        for kind in kinds:
            name = "Phone" if kind == "totp" else "Blue key"
            mine.append(
                Factor(
                    f"{len(mine):016x}",
                    who.source,
                    who.subject,
                    kind,
                    name,
                    self.now - timedelta(days=3),
                    "space",
                    facts={"secret": SECRET},
                )
            )
        self.recovery[who.source, who.subject] = list(RECOVERY)

    def lena(self) -> Identity:
        return _identity(LOCAL, "lena", self.now)

    def event(self, kind: str, detail: str = "{}", address: str = "192.0.2.7") -> None:
        record = Record(self.now, kind, "r-1", address, "corp", "u-1", "ana", None, None, None, None, detail)
        self.history.insert(0, StoredRecord(len(self.history) + 1, record, "", ""))

    # --- the door -----------------------------------------------------------------------------------

    def local_label(self) -> str:
        self._enter("local_label")
        return self.label

    def password_sign_in(
        self,
        username: str,
        password: str,
        ask: SignInAsk,
        *,
        caller: Caller,
        device: str = "",
        previous: str | None = None,
    ) -> SignedIn | Asked:
        self._enter("password_sign_in", caller, (username, ask))
        if not password or self.passwords.get(username) != password:
            raise CredentialsWrong
        who = _identity(LOCAL, username, self.now)
        if self.must_enrol or self.factors.get((LOCAL, username)):
            return self._want(Wanted("sign_in", ask.browser, ask.next, who))
        return self._open(who, ask.next, device, previous)

    def begin_passkey(self, ask: SignInAsk, *, caller: Caller) -> tuple[Asked, str]:
        self._enter("begin_passkey", caller, ask)
        return self._want(Wanted("passkey", ask.browser, ask.next)), GET

    def challenge(self, handle: str, browser: str, *, caller: Caller) -> ChallengePage:
        self._enter("challenge", caller)
        wanted = self._find(handle, browser)
        who = wanted.who
        mine = [] if who is None else self.factors.get((who.source, who.subject), [])
        kinds: list[FactorKind] = sorted({each.kind for each in mine}, reverse=True)
        if wanted.purpose == "passkey":
            kinds = ["webauthn"]
        setting_up = wanted.purpose == "enrol" and len(mine) < ROOT_FACTORS
        if kinds and self.recovery.get((who.source, who.subject) if who else ("", "")):
            kinds.append("recovery")
        role = f" for `{wanted.role}`" if wanted.role else ""
        return ChallengePage(
            wanted.purpose,  # type: ignore[arg-type]
            "" if who is None else who.username,
            f"A second factor is needed{role}.",
            () if setting_up else tuple(kinds),
            ("webauthn", "totp") if setting_up or not kinds else (),
            GET if "webauthn" in kinds else "",
            wanted.next,
            self.now + timedelta(minutes=10),
            wanted.role,
            self.counts_later,
        )

    def answer(
        self,
        handle: str,
        browser: str,
        answer: FactorAnswer,
        *,
        caller: Caller,
        device: str = "",
        previous: str | None = None,
    ) -> SignedIn | Asked:
        self._enter("answer", caller, answer)
        wanted = self._find(handle, browser)
        who = wanted.who
        if wanted.purpose == "passkey":
            who = self.lena()
        assert who is not None
        codes = self.recovery.get((who.source, who.subject), [])
        right = {"totp": [CODE], "webauthn": [KEY], "recovery": codes}[answer.kind]
        if answer.text not in right:
            self._miss(handle, wanted)
        del self.wanted[handle]
        return self._open(who, wanted.next, device, previous, wanted.session)

    def begin_step_up(self, session: Session, ask: StepUpAsk, browser: str, *, caller: Caller) -> Asked:
        self._enter("begin_step_up", caller, ask)
        if ask.session and ask.session not in {each.id for each in self.others}:
            raise SessionUnknown
        return self._want(
            Wanted("step_up", browser, ask.next, session.identity, session=session.id, role=ask.role)
        )

    def own_factors(self, session: Session, *, caller: Caller) -> OwnFactors:
        self._enter("own_factors", caller)
        key = (session.identity.source, session.identity.subject)
        mine = self.factors.get(key, [])
        return OwnFactors(
            tuple(mine),
            len(self.recovery.get(key, ())),
            key[0] == LOCAL,
            self.recent,
            ("webauthn", "totp") if len(mine) < MOST_FACTORS else (),
            len(set(self.devices_seen)),
        )

    def begin_enrolment(
        self,
        kind: FactorKind,
        browser: str,
        *,
        caller: Caller,
        session: Session | None = None,
        within: str = "",
    ) -> Enrolment:
        self._enter("begin_enrolment", caller, kind)
        who = self._enrols(browser, session, within)
        handle = self._want(Wanted("enrol", browser, "/", who, kind=kind)).handle
        if kind == "webauthn":
            return Enrolment(handle, kind, webauthn_options=CREATE)
        return Enrolment(handle, kind, SECRET, URI)

    def finish_enrolment(
        self,
        handle: str,
        browser: str,
        answer: FactorAnswer,
        name: str,
        *,
        caller: Caller,
        session: Session | None = None,
        device: str = "",
        previous: str | None = None,
    ) -> Enrolled:
        self._enter("finish_enrolment", caller, (answer, name))
        begun = self._find(handle, browser)
        who = begun.who
        assert who is not None and begun.purpose == "enrol"
        if not name:
            raise AskRefused("name")
        if answer.kind != begun.kind or answer.text not in (CODE, KEY):
            self._miss(handle, begun)
        del self.wanted[handle]
        mine = self.factors.setdefault((who.source, who.subject), [])
        first = not mine
        made = Factor(
            secrets.token_hex(8), who.source, who.subject, begun.kind, name, self.now, "space", first
        )
        mine.append(made)
        if first:
            self.recovery[who.source, who.subject] = list(RECOVERY)
        signed_in = None
        for other, wanted in list(self.wanted.items()):
            if session is None and wanted.who == who and wanted.browser == browser:
                if wanted.purpose == "enrol" and len(mine) < ROOT_FACTORS:
                    continue
                del self.wanted[other]
                if wanted.purpose != "enrol":
                    signed_in = self._open(who, wanted.next, device, previous, wanted.session)
        return Enrolled(made, RECOVERY if first else (), signed_in)

    def rename_factor(self, session: Session, id: str, name: str, *, caller: Caller) -> None:
        self._enter("rename_factor", caller, (id, name))
        at, mine = self._factor(session, id)
        mine[at] = replace(mine[at], name=name)

    def remove_factor(self, session: Session, id: str, *, caller: Caller) -> None:
        self._enter("remove_factor", caller, id)
        at, mine = self._factor(session, id)
        del mine[at]

    def new_recovery_codes(self, session: Session, *, caller: Caller) -> Sequence[str]:
        self._enter("new_recovery_codes", caller)
        self._recent()
        if not self.factors.get((session.identity.source, session.identity.subject)):
            raise MfaMissing
        return RECOVERY

    def change_password(
        self, session: Session, old: str, new: str, *, caller: Caller, device: str = ""
    ) -> SignedIn | None:
        self._enter("change_password", caller)
        self._recent()
        if self.passwords.get(session.identity.subject) != old:
            raise CredentialsWrong
        self._good(new)
        self.passwords[session.identity.subject] = new
        previous = next(token for token, each in self.cookies.items() if each.id == session.id)
        return self._open(session.identity, "/", device, previous, session.id)

    def ask_password_link(self, username: str, *, caller: Caller) -> None:
        self._enter("ask_password_link", caller, username)

    def one_time_link(self, token: str, *, caller: Caller) -> LinkPage:
        self._enter("one_time_link", caller)
        if token not in self.links:
            raise LinkInvalid
        return self.links[token]

    def use_one_time_link(self, token: str, password: str, browser: str, *, caller: Caller) -> Asked | None:
        self._enter("use_one_time_link", caller)
        link = self.one_time_link(token, caller=caller)
        self._good(password)
        del self.links[token]
        if link.purpose == "root":
            return self._want(Wanted("enrol", browser, "/", _identity(ROOT, "root", self.now)))
        self.passwords[link.username] = password
        return None

    def root_sign_in(
        self, password: str, reason: str, ask: SignInAsk, *, caller: Caller, device: str = ""
    ) -> Asked:
        self._enter("root_sign_in", caller, reason)
        if len(reason) < 8:
            raise AskRefused("reason", words="Write a reason of 8 to 500 characters.")
        if password != ROOT_PASSWORD:
            raise CredentialsWrong
        who = replace(_identity(ROOT, "root", self.now), claims={"reason": (reason,)})
        return self._want(Wanted("root", ask.browser, ask.next, who))

    def sign_in_history(self, session: Session, *, caller: Caller) -> Sequence[StoredRecord]:
        self._enter("sign_in_history", caller)
        return self.history[:50]

    def end_all_sessions(self, session: Session, *, caller: Caller) -> int:
        self._enter("end_all_sessions", caller)
        self.cookies.clear()
        return 1

    # --- steps --------------------------------------------------------------------------------------

    def _want(self, wanted: Wanted) -> Asked:
        assert wanted.browser
        self.wanted[handle := secrets.token_urlsafe(32)] = wanted
        return Asked(handle, wanted.next)

    def _find(self, handle: str, browser: str) -> Wanted:
        wanted = self.wanted.get(handle)
        if wanted is None or not browser or wanted.browser != browser:
            raise ChallengeOver
        return wanted

    def _miss(self, handle: str, wanted: Wanted) -> None:
        wanted.tries += 1
        if wanted.tries >= 5:
            del self.wanted[handle]
        raise CodeWrong

    def _open(
        self, who: Identity, target: str, device: str, previous: str | None, renewed: str = ""
    ) -> SignedIn:
        assert device
        self.devices_seen.append(device)
        kept = self.cookies.pop(previous or "", None)
        made = self.new_session()
        later = self.now - made.created_at
        made = replace(
            made,
            id=renewed or secrets.token_hex(8),
            identity=replace(who, authentication=replace(who.authentication, mfa_at=self.now)),
            created_at=self.now if kept is None or not renewed else kept.created_at,
            expires_at=made.expires_at + later,
        )
        self.cookies[token := secrets.token_urlsafe(32)] = made
        return SignedIn(made, token, target)

    def _enrols(self, browser: str, session: Session | None, within: str) -> Identity:
        if within:
            found = self._find(within, browser).who
            assert found is not None
            return found
        assert session is not None
        self._recent()
        if len(self.factors.get((session.identity.source, session.identity.subject), ())) >= MOST_FACTORS:
            raise FactorsFull
        return session.identity

    def _factor(self, session: Session, id: str) -> tuple[int, list[Factor]]:
        self._recent()
        mine = self.factors.get((session.identity.source, session.identity.subject), [])
        for at, factor in enumerate(mine):
            if factor.id == id:
                return at, mine
        raise FactorUnknown

    def _recent(self) -> None:
        if not self.recent:
            raise ProofNotRecent

    def _good(self, password: str) -> None:
        if len(password) < 12:
            raise PasswordRefused(words="A password needs at least 12 characters.")


def _identity(source: SourceId, name: str, at: datetime) -> Identity:
    return Identity(
        source=source,
        subject=name,
        username=name,
        claims={},
        authentication=Authentication(at=at, methods=("pwd",)),
        name=name.capitalize(),
    )


def step_up_members(role: RoleArn, base: str) -> dict[str, object]:
    """As the broker puts them into `MfaRequired`."""
    return {"step_up": {"url": f"{base}/step-up?role={role}", "kinds": ["totp", "webauthn"]}}
