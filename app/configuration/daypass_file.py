"""`daypass.yaml`: the broker's own settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema

from app.configuration import addresses
from app.configuration.fields import (
    PARTITIONS,
    BaseUrl,
    Database,
    Description,
    Email,
    FilePath,
    Host,
    Label,
    MailSecurity,
    Origin,
    Partition,
    Port,
    Proxy,
    Region,
    Secret,
    SessionDuration,
    Strict,
    TokenDuration,
    TopicArn,
    WebhookUrl,
)
from app.configuration.places import Place
from app.configuration.problems import Problems, nearest
from app.configuration.references import REFERENCE_MARK, STAND_IN, wrong
from app.configuration.rules import check_reachable, check_unique
from app.configuration.typed import Entry
from app.model import Endpoint, Mail, Settings

_PORTS: Final[Mapping[str, int]] = {"starttls": 587, "tls": 465, "none": 25}
"""RFC 6409, 3.1; RFC 8314, 3.3; RFC 5321, 4.5.4.2."""
_WRITE_MAIL: Final = "write `mail: {host: mail.example.com, from: daypass@example.com}` in this file"
CHANNELS: Final = ("log", "webhook", "email", "sns")


class Keys(Strict):
    """Where the key file lies."""

    file: FilePath = Field(description="path of the key file; a relative one starts at the working folder")


class SessionTable(Strict):
    """How long a browser session lives."""

    lifetime: SessionDuration = Field(
        default=timedelta(hours=12), description="how long a sign-in lasts, 1m to 168h"
    )
    idle: SessionDuration = Field(
        default=timedelta(hours=2), description="when it ends if unused, at most `lifetime`"
    )


class TokenTable(Strict):
    """How long tokens of the authorization server live."""

    access: TokenDuration = Field(
        default=timedelta(hours=1), description="15m to 168h; AWS's clients take less for expired"
    )
    refresh: TokenDuration = Field(default=timedelta(hours=12), description="15m to 168h, at least `access`")


class Alert(Strict):
    """One channel for alerts; none of the keys is the channel `log`."""

    webhook: WebhookUrl | None = Field(default=None, description="a reference to the address; it is a secret")
    email: Email | None = Field(default=None, description="an address")
    sns: TopicArn | None = Field(default=None, description="ARN of a topic")


def _version(value: object) -> int:
    # `true` equals 1, and is none.
    if value is not STAND_IN and (value != 1 or isinstance(value, bool)):
        raise wrong("expected 1, the version of this format")
    return 1


def _channel(value: object) -> object:
    if value == "log" or value is STAND_IN:
        return Alert()
    if not isinstance(value, dict) or len(value) != 1:
        near = nearest(value, CHANNELS) if isinstance(value, str) else ""
        raise wrong(f"expected `log`, `{{webhook: …}}`, `{{email: …}}` or `{{sns: …}}`{near}")
    return value


def _channel_schema() -> dict[str, object]:
    reference = {REFERENCE_MARK: True}
    text = {"anyOf": [{"type": "string"}, reference]}
    channels = {"webhook": reference, "email": text, "sns": text}
    rows = [
        {"type": "object", "properties": {name: shape}, "required": [name], "additionalProperties": False}
        for name, shape in channels.items()
    ]
    return {"anyOf": [{"const": "log"}, *rows]}


class LocalTable(Strict):
    """Local users: people whom the broker itself knows."""

    label: Label = Field(description="what the sign-in page calls them: `Contractors`")


class MailTable(Strict):
    """How mail is sent."""

    host: Host = Field(description="the mail server's name")
    port: Port | None = Field(
        default=None, description="587 for `starttls`, 465 for `tls`, 25 for `none`, unless said"
    )
    sender: Email = Field(alias="from", description="the address that mail comes from")
    security: MailSecurity = Field(
        default="starttls", description="`starttls`, `tls`, or `none`, which is for a server on loopback only"
    )
    username: Description | None = Field(default=None, description="who signs in at the server")
    password: Secret | None = Field(default=None, description="a reference to the password; it is a secret")


class AwsTable(Strict):
    """How the broker reaches AWS."""

    partition: Partition = Field(default="aws", description="`aws`, `aws-cn`, `aws-us-gov`, …")
    regions: list[Region] = Field(
        description="regions of STS, first choice first: `[eu-west-1, eu-central-1]`"
    )
    sts_endpoint: Origin | None = Field(default=None, description="a double of STS; leave it out for AWS")
    console_endpoint: Origin | None = Field(
        default=None, description="a double of the console; leave it out for AWS"
    )


class DaypassFile(Strict):
    """`daypass.yaml`: the broker's own settings."""

    version: Annotated[int, PlainValidator(_version), WithJsonSchema({"const": 1})] = Field(
        description="the version of this format: 1"
    )
    name: Label = Field(description="the company's name, as pages show it")
    base_url: BaseUrl = Field(description="the one address of the broker: scheme, host and port")
    database: Database = Field(description="`sqlite:///PATH` or `postgresql+psycopg://…`")
    keys: Keys = Field(
        description="where SAML's and the sealing keys lie: `{file: PATH}`; made at first start"
    )
    trusted_proxies: list[Proxy] = Field(
        default_factory=list, description="addresses or networks whose X-Forwarded-For is believed"
    )
    session: SessionTable = Field(
        default_factory=SessionTable, description="browser sessions: `lifetime`, `idle`"
    )
    tokens: TokenTable = Field(default_factory=TokenTable, description="tokens: `access`, `refresh`")
    alerts: list[Annotated[Alert, BeforeValidator(_channel), WithJsonSchema(_channel_schema())]] = Field(
        default_factory=list, description="where alarms go: `log`, `{webhook: …}`, `{email: …}`, `{sns: ARN}`"
    )
    mail: MailTable | None = Field(
        default=None,
        description="how mail is sent: `host`, `from`, and `port`, `security`, `username`, `password`",
    )
    local: LocalTable | None = Field(
        default=None,
        description="sign-in by local users is on: `{label: …}`; leave it out where there are none",
    )
    aws: AwsTable = Field(description="how AWS is reached: `partition`, `regions`")


def settings(file: DaypassFile) -> Settings:
    """The file as the rest of the program takes it."""
    return Settings(
        name=file.name,
        base_url=file.base_url,
        database=file.database,
        keys=file.keys.file,
        aws=Endpoint(
            partition=file.aws.partition,
            regions=tuple(file.aws.regions),
            sts_endpoint=file.aws.sts_endpoint,
            console_endpoint=file.aws.console_endpoint,
        ),
        trusted_proxies=tuple(file.trusted_proxies),
        session_lifetime=file.session.lifetime,
        session_idle=file.session.idle,
        access_token=file.tokens.access,
        refresh_token=file.tokens.refresh,
        alerts=tuple(_alert(channel) for channel in file.alerts),
        local=file.local.label if file.local is not None else "",
        mail=_mail(file.mail) if file.mail is not None else None,
    )


def _mail(table: MailTable) -> Mail:
    return Mail(
        host=table.host,
        port=table.port or _PORTS[table.security],
        sender=table.sender,
        security=table.security,
        username=table.username or "",
        password=table.password or "",
    )


def _alert(channel: Alert) -> Mapping[str, str]:
    targets = channel.model_dump(exclude_none=True)
    return {name: str(target) for name, target in targets.items()} or {"log": ""}


def check(entry: Entry[DaypassFile], problems: Problems) -> None:
    """What the file's values must be to one another."""
    file, place = entry.value, entry.place
    if file.session.idle > file.session.lifetime:
        problems.add(place, ("session", "idle"), "is longer than `lifetime`; expected at most that")
    if file.tokens.refresh < file.tokens.access:
        problems.add(place, ("tokens", "refresh"), "is shorter than `access`; expected at least that")
    if not file.aws.regions:
        problems.add(place, ("aws", "regions"), "is empty; expected at least one region of STS")
    partition = file.aws.partition
    for position, region in enumerate(file.aws.regions):
        if region and partition and not re.fullmatch(PARTITIONS[partition], region):
            problems.add(
                place, ("aws", "regions", position), f"is not a region of the partition `{partition}`"
            )
    check_unique(file.aws.regions, place, ("aws", "regions"), problems)
    check_unique(file.trusted_proxies, place, ("trusted_proxies",), problems)
    for name in ("sts_endpoint", "console_endpoint"):
        check_reachable(getattr(file.aws, name), place, ("aws", name), file.base_url, problems)
    for position, channel in enumerate(file.alerts):
        check_reachable(channel.webhook, place, ("alerts", position, "webhook"), file.base_url, problems)
        if channel.email is not None and file.mail is None:
            words = f"nothing says how mail is sent; {_WRITE_MAIL}"
            problems.add(place, ("alerts", position, "email"), words, on="key")
        if channel.sns and partition and channel.sns.split(":")[1] != partition:
            problems.add(place, ("alerts", position, "sns"), f"is not in the partition `{partition}`")
    if file.mail is not None:
        _check_mail(file.mail, place, problems)


def _check_mail(mail: MailTable, place: Place, problems: Problems) -> None:
    if mail.security == "none" and mail.host and addresses.host(mail.host) != "loopback":
        words = "everybody on the way could read links and alerts; expected `starttls` or `tls` towards another machine"
        problems.add(place, ("mail", "security"), words)
    for one, other in (("username", "password"), ("password", "username")):
        if getattr(mail, one) is not None and getattr(mail, other) is None:
            problems.add(place, ("mail", one), f"needs `{other}` beside it; write both, or neither", on="key")
