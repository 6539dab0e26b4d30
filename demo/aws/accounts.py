"""Who exists in the double's AWS: users with access keys, roles with trust policies."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import secrets
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from cryptography.fernet import Fernet

Document = Mapping[str, Any]
"""A policy document, as parsed JSON."""

_TAKEN = frozenset({"console", "federation", "oauth"})
"""First parts of addresses that are not a bucket's."""

EXTERNAL_ID = "sandbox-7c1f0d4e"
"""What the sandbox account asks for unless something else is said."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A long-term access key."""

    access_key_id: str
    secret_access_key: str = field(repr=False)

    @classmethod
    def made(cls) -> KeyPair:
        """A fresh random pair in AWS's form."""
        identifier = base64.b32encode(secrets.token_bytes(10)).decode("ascii")
        return cls("AKIA" + identifier, base64.b64encode(secrets.token_bytes(30)).decode("ascii"))


@dataclass(frozen=True, slots=True)
class User:
    """An IAM user."""

    arn: str
    policies: tuple[Document, ...] = ()
    """Identity policies."""

    @property
    def id(self) -> str:
        """Unique ID, `AIDA…`."""
        return unique_id("AIDA", self.arn)


@dataclass(frozen=True, slots=True)
class Role:
    """An IAM role."""

    arn: str
    trust: Document
    max_session_duration: int = 3600
    """Seconds, 3600 to 43200."""
    policies: tuple[Document, ...] = ()

    @property
    def id(self) -> str:
        """Unique ID, `AROA…`."""
        return unique_id("AROA", self.arn)

    @property
    def account(self) -> str:
        """Twelve digits."""
        return self.arn.split(":")[4]

    @property
    def name(self) -> str:
        """Name without path."""
        return self.arn.rsplit("/", 1)[1]


@dataclass(frozen=True, slots=True)
class Bucket:
    """An S3 bucket, without a policy of its own: only its own account's callers get in."""

    name: str
    account: str
    """Twelve digits."""
    region: str
    origins: tuple[str, ...] = ()
    """Of pages that may ask (CORS), each with at most one `*`."""


@dataclass(frozen=True, slots=True)
class Accounts:
    """Everything that IAM knows."""

    partition: str
    regions: frozenset[str]
    broker: str
    """ARN of the user whose long-term key the broker holds."""
    users: Mapping[str, User]
    roles: Mapping[str, Role]
    buckets: Mapping[str, Bucket] = field(default_factory=dict)


def unique_id(prefix: str, arn: str) -> str:
    """IAM's unique ID; here made from the ARN, so that it is the same after a restart."""
    digest = base64.b32encode(hashlib.sha256(arn.encode()).digest()).decode("ascii")
    return prefix + digest[:17]


def shipped(external_id: str = EXTERNAL_ID) -> Accounts:
    """The accounts that belong to the shipped `config/`."""
    return load(Path(__file__).with_name("accounts.yaml"), external_id)


def load(path: Path, external_id: str = EXTERNAL_ID) -> Accounts:
    """Read an accounts file (YAML or JSON, see `accounts.yaml`).

    `${external_id}` in it is replaced. Raises ValueError for a file of another shape, OSError if it
    cannot be read.
    """
    text = path.read_text(encoding="utf-8").replace("${external_id}", external_id)
    try:
        return parse(yaml.safe_load(text))
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"{path} is not an accounts file: {error}") from error


def parse(raw: Mapping[str, Any]) -> Accounts:
    """Accounts from plain data. Raises KeyError, TypeError or ValueError for another shape."""
    users = [User(user["arn"], tuple(user.get("policies", ()))) for user in raw["users"]]
    roles = [_role(role) for role in raw["roles"]]
    buckets = [_bucket(bucket) for bucket in raw.get("buckets", ())]
    accounts = Accounts(
        partition=raw.get("partition", "aws"),
        regions=frozenset(raw.get("regions", ("us-east-1",))),
        broker=raw["broker"],
        users={user.arn: user for user in users},
        roles={role.arn: role for role in roles},
        buckets={bucket.name: bucket for bucket in buckets},
    )
    if accounts.broker not in accounts.users:
        raise ValueError(f"the broker's user {accounts.broker} is not among the users")
    return accounts


def _bucket(raw: Mapping[str, Any]) -> Bucket:
    bucket = Bucket(raw["name"], raw["account"], raw["region"], tuple(raw.get("origins", ())))
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", bucket.name) or bucket.name in _TAKEN:
        raise ValueError(f"{bucket.name} is no name for a bucket here")
    if any(origin.count("*") > 1 for origin in bucket.origins):
        raise ValueError(f"{bucket.name}: an origin has at most one *")
    return bucket


def _role(raw: Mapping[str, Any]) -> Role:
    role = Role(
        arn=raw["arn"],
        trust=raw["trust"],
        max_session_duration=int(raw.get("max_session_duration", 3600)),
        policies=tuple(raw.get("policies", ())),
    )
    if role.arn.count(":") != 5 or ":role/" not in role.arn:
        raise ValueError(f"{role.arn} is not the ARN of a role")
    if not 3600 <= role.max_session_duration <= 43200:
        raise ValueError(f"{role.arn}: max_session_duration must be 3600 to 43200")
    return role


@dataclass(frozen=True, slots=True)
class State:
    """What must stay the same over restarts: the broker's key pair, and the key of sealed tokens."""

    broker: KeyPair
    seal: bytes = field(repr=False)

    @classmethod
    def made(cls, broker: KeyPair | None = None) -> State:
        """Fresh state."""
        return cls(broker or KeyPair.made(), Fernet.generate_key())


def load_or_create(path: Path) -> State:
    """State from a JSON file, made on first use (mode 0600); a folder means `aws-double.json` in it.

    Raises ValueError if the file holds something else.
    """
    if path.is_dir() or not path.suffix:
        path = path / "aws-double.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        _write_once(path, State.made())
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        return State(KeyPair(raw["access_key_id"], raw["secret_access_key"]), raw["seal"].encode("ascii"))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} does not hold the AWS double's state; remove it to have it made anew"
        ) from error


def _write_once(path: Path, state: State) -> None:
    """Create the file whole, or leave the one that another process has just made."""
    values: Sequence[tuple[str, str]] = (
        ("access_key_id", state.broker.access_key_id),
        ("secret_access_key", state.broker.secret_access_key),
        ("seal", state.seal.decode("ascii")),
    )
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(dict(values), file)
        path.hardlink_to(temporary)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
