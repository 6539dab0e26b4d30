"""The one object through which the broker speaks to AWS."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from urllib.parse import urlsplit

from app.aws import console, sts
from app.aws.chain import Chain
from app.aws.chaining import steps
from app.aws.channel import Channel
from app.aws.console import Console, Destinations
from app.aws.deadline import Deadline, Late
from app.aws.failover import Place, Places
from app.aws.partitions import PARTITIONS, Partition, is_region
from app.aws.sts import Assumed, KeysRejected, Sts
from app.clock import Clock, SystemClock
from app.errors import ConsoleFailed, RequestNotPossible, StsFailed, Unavailable
from app.model import ConsoleLink, CredentialRequest, Credentials, Endpoint

LONGEST_CALL = 10.0
"""Seconds that one issue may take, chain, hops and failover included."""


class Aws:
    """STS and the console, as configured. Safe to use from many threads; made once per revision."""

    def __init__(self, endpoint: Endpoint, *, timeout: float = 5.0, clock: Clock | None = None) -> None:
        """`timeout` is for one attempt at one endpoint, in seconds; a whole call takes at most twice that,
        and never more than 10.

        Raises Unavailable if the endpoint names a partition, region or address that does not exist.
        """
        try:
            partition = PARTITIONS[endpoint.partition]
            self._region = endpoint.regions[0]
            sts_places = _sts(endpoint, partition)
            console_places = _console(endpoint, partition)
            self._sts = Sts(Places(sts_places, timeout=timeout), clock or SystemClock())
        except (KeyError, IndexError, ValueError) as error:
            raise Unavailable(f"the configured AWS endpoint cannot be used: {error}") from error
        self._console = Console(Places(console_places, timeout=timeout)) if console_places else None
        own = _base(endpoint.console_endpoint) if endpoint.console_endpoint else None
        self._destinations = Destinations(partition, self._region, own)
        self._chain = Chain(self._region, timeout=timeout)
        self._partition = partition.name
        self._longest = min(2 * timeout, LONGEST_CALL)

    def assume(self, request: CredentialRequest) -> Credentials:
        """Temporary credentials for the role of the request, through its hops.

        Raises:
            StsRefused: AWS said no (trust policy, external ID, limits); the detail has code and words.
            StsFailed: AWS, or the broker's own credential chain, is down, slow, or answers what must not
                be believed.
            RequestNotPossible: a role is of another partition than the configured one.
        """
        for role in (*request.hops, request.role):
            if role.arn.split(":")[1] != self._partition:
                raise RequestNotPossible(f"{role.arn} is not in partition {self._partition}")
        deadline = Deadline.after(self._longest)
        own = self._chain.keys(deadline)
        keys, assumed = own, None
        for step in steps(request, temporary=own.temporary):
            try:
                assumed = self._sts.assume(keys, step, deadline)
            except KeysRejected as error:
                if keys is own:
                    self._chain.forget(own)
                raise error.refusal from None
            except Late:
                raise StsFailed(f"AssumeRole {step.role.arn}: the time is up") from None
            keys = assumed.keys
        return _credentials(assumed, request, chained=own.temporary or bool(request.hops))

    def console_link(
        self, credentials: Credentials, destination: str, issuer: str, now: datetime
    ) -> ConsoleLink:
        """A link that opens the console at `destination` (checked again here), good for 15 minutes.

        `issuer` is the broker's own address to start from when the console session has ended.
        Raises ConsoleFailed, DestinationForbidden.
        """
        self._destinations.choose(destination)
        if self._console is None:
            raise ConsoleFailed(f"partition {self._partition} has no sign-in endpoint")
        return self._console.link(credentials, destination, issuer, now, Deadline.after(self._longest))

    def destination(self, asked: str | None, region: str | None = None) -> str:
        """Where a console link may lead: `asked` if it is a console address, the start page for None.

        Raises DestinationForbidden.
        """
        return self._destinations.choose(asked, region)

    def warm(self) -> None:
        """Find the broker's credentials and connect, so that the first issue is as fast as the next.

        Takes at most one call's time and never raises: what is amiss is met, and said, at the first issue.
        """
        deadline = Deadline.after(self._longest)
        try:
            self._chain.keys(deadline)
        except StsFailed:
            return
        self._sts.warm(deadline)


def _credentials(assumed: Assumed | None, request: CredentialRequest, *, chained: bool) -> Credentials:
    if assumed is None or assumed.keys.session_token is None:
        raise StsFailed("AssumeRole gave no session token")
    return Credentials(
        access_key_id=assumed.keys.access_key_id,
        secret_access_key=assumed.keys.secret_access_key,
        session_token=assumed.keys.session_token,
        expiration=assumed.expiration,
        account=request.role.account,
        chained=chained,
    )


def _sts(endpoint: Endpoint, partition: Partition) -> list[Place]:
    if endpoint.sts_endpoint is not None:
        return _places([(endpoint.regions[0], _base(endpoint.sts_endpoint))], sts.CAP)
    return _places(((region, partition.sts_url(region)) for region in endpoint.regions), sts.CAP)


def _console(endpoint: Endpoint, partition: Partition) -> list[Place]:
    if endpoint.console_endpoint is not None:
        return _places([(endpoint.regions[0], _base(endpoint.console_endpoint))], console.CAP)
    found = {partition.signin_url(region): region for region in reversed(endpoint.regions)}
    rows = [(region, url) for url, region in reversed(found.items()) if url is not None]
    return _places(rows, console.CAP)


def _places(rows: Iterable[tuple[str, str]], cap: int) -> list[Place]:
    places = []
    for region, url in rows:
        if not is_region(region):
            raise ValueError(f"{region!r} is not a region")
        places.append(Place(region, url, Channel(url, cap=cap)))
    return places


def _base(url: str) -> str:
    """Scheme and authority. A double's path would have to be signed and kept apart: it has none."""
    parts = urlsplit(url)
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError(f"{url!r} has more than scheme, host and port")
    return f"{parts.scheme}://{parts.netloc}"
