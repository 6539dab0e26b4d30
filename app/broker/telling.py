"""What people and operators are told, in words. Pure; nothing here is a secret, but for the one link that says so."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from app.people import Alert, Factor

_NOT_YOU = "If that was not you, tell the people who run {name} at once."
_CALLED = {"totp": "authenticator app", "webauthn": "passkey or security key"}


@dataclass(frozen=True, slots=True)
class Told:
    """Something to tell, to whomever."""

    kind: str
    at: datetime
    title: str
    text: str
    facts: Mapping[str, str] = field(default_factory=dict)


def to_person(told: Told, address: str) -> Alert:
    """By mail, to one person."""
    return Alert(secrets.token_hex(8), told.kind, told.at, told.title, told.text, told.facts, address)


def to_operators(told: Told) -> Alert:
    """Through every channel of the operators'."""
    return Alert(secrets.token_hex(8), told.kind, told.at, told.title, told.text, told.facts)


def new_device(name: str, agent: str, address: str, at: datetime) -> Told:
    """A browser in which the person had not signed in before."""
    text = f"You signed in at {name} from a browser that was not known: {agent or 'unnamed'}, from {address}, at {_at(at)}."
    return Told("device.new", at, f"{name}: a new browser", f"{text} {_not_you(name)}", {"address": address})


def factor_added(name: str, factor: Factor, address: str, at: datetime) -> Told:
    """A device was enrolled."""
    what = _CALLED.get(factor.kind, factor.kind)
    text = f"A second factor was added to your account at {name}: {what} “{factor.name}”, from {address}, at {_at(at)}."
    return Told(
        "factor.enrolled",
        at,
        f"{name}: a second factor was added",
        f"{text} {_not_you(name)}",
        {"factor": factor.id},
    )


def factor_removed(name: str, factor: Factor, address: str, at: datetime) -> Told:
    """A device was removed."""
    what = _CALLED.get(factor.kind, factor.kind)
    text = f"A second factor was removed from your account at {name}: {what} “{factor.name}”, from {address}, at {_at(at)}."
    return Told(
        "factor.removed",
        at,
        f"{name}: a second factor was removed",
        f"{text} {_not_you(name)}",
        {"factor": factor.id},
    )


def first_factor(name: str, who: str, factor: Factor, address: str, at: datetime) -> Told:
    """To operators: somebody enrolled their first device, and proved it in the same session."""
    what = _CALLED.get(factor.kind, factor.kind)
    text = (
        f"{who} enrolled a first second factor ({what} “{factor.name}”) in the session in which one was asked for, from "
        f"{address}, at {_at(at)}. It counts for roles of level admin only from the next sign-in on. If "
        "nobody expected it, end that person's sessions and take the factor away."
    )
    return Told(
        "factor.first_enrolled",
        at,
        f"{name}: {who} enrolled a first second factor in a step-up",
        text,
        {"factor": factor.id, "address": address},
    )


def copied(name: str, who: str, factor: Factor, address: str, at: datetime) -> Told:
    """To operators: a security key's counter fell back."""
    text = (
        f"The security key “{factor.name}” of {who} signed with a counter that had been used (from {address}, at "
        f"{_at(at)}): there may be a copy of it. It was not accepted. Take the key away and give them another."
    )
    return Told(
        "factor.copied",
        at,
        f"{name}: a security key of {who} may have been copied",
        text,
        {"factor": factor.id},
    )


def recovery_code(name: str, left: int, address: str, at: datetime) -> Told:
    """A recovery code was used."""
    text = (
        f"A recovery code of your account at {name} was used, from {address}, at {_at(at)}. {left} are left."
    )
    return Told("recovery_code.used", at, f"{name}: a recovery code was used", f"{text} {_not_you(name)}")


def codes_guessed(name: str, address: str, at: datetime) -> Told:
    """Somebody could give the first factor, and not the second."""
    text = (
        f"Somebody began to sign in as you at {name}, from {address}, at {_at(at)}: the first proof was right, and then "
        "came five wrong answers for your second factor. Nobody got in. If that was not you, change the password that you "
        "sign in with, here or in your directory, and tell the people who run "
        f"{name}."
    )
    return Told(
        "factor.guessed", at, f"{name}: wrong answers for your second factor", text, {"address": address}
    )


def new_recovery_codes(name: str, address: str, at: datetime) -> Told:
    """Ten new recovery codes were made."""
    text = f"New recovery codes were made for your account at {name}, from {address}, at {_at(at)}."
    return Told("recovery_codes.made", at, f"{name}: new recovery codes", f"{text} {_not_you(name)}")


def password_changed(name: str, address: str, at: datetime) -> Told:
    """The password was changed."""
    text = f"The password of your account at {name} was changed, from {address}, at {_at(at)}."
    return Told("password.changed", at, f"{name}: your password was changed", f"{text} {_not_you(name)}")


def password_link(name: str, link: str, at: datetime) -> Told:
    """The one-time link itself: to its person alone."""
    text = (
        f"Somebody, you we hope, asked for a link to set a new password at {name}. It is good once, for an hour:\n\n"
        f"{link}\n\nIf that was not you, leave it: nothing has changed."
    )
    return Told("link.password", at, f"{name}: set a new password", text)


def root_used(name: str, base_url: str, reason: str, address: str, at: datetime, ends_at: datetime) -> Told:
    """To operators: break-glass."""
    text = (
        f"Somebody signed in as root at {name}, from {address}, at {_at(at)}, until {_at(ends_at)}. The reason given: "
        f"{reason}\n\nSomebody else must look at what was done and sign it off: {base_url}/admin/root"
    )
    return Told("root.used", at, f"{name}: root was used", text, {"address": address, "reason": reason})


def root_refused(name: str, address: str, at: datetime) -> Told:
    """To operators: the password of root was right, and the factor was not."""
    text = (
        f"Somebody gave the right password of root at {name}, and a wrong second factor, from {address}, at {_at(at)}. "
        "If nobody of yours did, set root up anew: `python -m app root setup`."
    )
    return Told("root.refused", at, f"{name}: a sign-in as root failed", text, {"address": address})


def root_set_up(name: str, address: str, at: datetime) -> Told:
    """To operators: root can be used from now on."""
    text = f"Root was set up at {name}: password and two devices, from {address}, at {_at(at)}."
    return Told("root.set_up", at, f"{name}: root was set up", text, {"address": address})


def _at(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M UTC")


def _not_you(name: str) -> str:
    return _NOT_YOU.format(name=name)
