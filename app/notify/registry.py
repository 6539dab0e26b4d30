"""The table of channels: from the settings to what sends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from app.model import Settings
from app.notify.log import LogChannel
from app.notify.mail import MailChannel, Mailer, PersonChannel
from app.notify.seam import Channel
from app.notify.sns import SnsChannel
from app.notify.webhook import TIMEOUT, WebhookChannel
from app.outbound import Fetcher

PERSON: Final = "person"
"""Name of the channel for people's own notices."""

_Make = Callable[[str, str, Fetcher, Mailer | None], Channel]
_KINDS: Final[Mapping[str, _Make]] = {
    "log": lambda _name, _target, _fetcher, _mailer: LogChannel(),
    "webhook": lambda name, target, fetcher, _: WebhookChannel(name, target, fetcher),
    "email": lambda name, target, _, mailer: MailChannel(name, target, mailer),
    "sns": lambda name, target, _fetcher, _mailer: SnsChannel(name, target),
}


def channels(
    settings: Settings, *, fetcher: Fetcher | None = None, mailer: Mailer | None = None
) -> Mapping[str, Channel]:
    """The channels by name: `log`, `webhook 2`, … in the order of `alerts`, numbered by place; the log if none is
    said. `person` too, where mail is configured.

    `fetcher`, `mailer`: for those who bring their own (tests do).
    """
    fetching = fetcher or Fetcher(settings.loopback, timeout=TIMEOUT)
    mailing = mailer or (None if settings.mail is None else Mailer(settings.mail, settings.base_url))
    made: dict[str, Channel] = {}
    for place, row in enumerate(settings.alerts or ({"log": ""},), 1):
        for kind, target in row.items():
            name = kind if kind == "log" else f"{kind} {place}"
            made[name] = _KINDS[kind](name, target, fetching, mailing)
    if mailing is not None:
        made[PERSON] = PersonChannel(PERSON, mailing)
    return made


def names(settings: Settings, *, person: bool) -> list[str]:
    """The names that `channels` gives, without making any: for who only writes down what is to be told."""
    if person:
        return [PERSON] if settings.mail is not None else []
    rows = enumerate(settings.alerts or ({"log": ""},), 1)
    return [kind if kind == "log" else f"{kind} {place}" for place, row in rows for kind in row]
