"""AWS's partitions: which hosts serve STS, the sign-in and the console.

Source: endpoint rules and partitions of the AWS SDK; "Enable custom identity broker access to the AWS
Management Console" (IAM User Guide).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+){1,3}-[0-9]{1,2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Partition:
    """One of AWS's separate clouds."""

    name: str
    suffix: str
    """DNS suffix of service endpoints."""
    signin: str | None
    """Host of the sign-in endpoint, without region."""
    console: str | None
    """Host of the console, without region. None: the console has no public address."""
    signin_regional: bool = True
    """False: the sign-in endpoint has no regional forms."""

    def sts_url(self, region: str) -> str:
        """The regional STS endpoint."""
        return f"https://sts.{region}.{self.suffix}"

    def signin_url(self, region: str) -> str | None:
        """The sign-in endpoint: the region's own where there is one, which serves when others are down."""
        if self.signin is None:
            return None
        return f"https://{region}.{self.signin}" if self.signin_regional else f"https://{self.signin}"

    def is_console(self, host: str) -> bool:
        """True for exactly the console host and its regional forms."""
        if self.console is None:
            return False
        region, dot, rest = host.partition(".")
        return host == self.console or (bool(dot) and rest == self.console and is_region(region))

    def console_home(self, region: str) -> str | None:
        """The console's start page in a region."""
        return f"https://{region}.{self.console}/console/home?region={region}" if self.console else None


def is_region(text: str) -> bool:
    """True if this has the form of a region's name."""
    return _REGION.fullmatch(text) is not None


_ROWS: Final = (
    Partition("aws", "amazonaws.com", "signin.aws.amazon.com", "console.aws.amazon.com"),
    Partition("aws-cn", "amazonaws.com.cn", "signin.amazonaws.cn", "console.amazonaws.cn"),
    Partition("aws-us-gov", "amazonaws.com", "signin.amazonaws-us-gov.com", "console.amazonaws-us-gov.com"),
    Partition("aws-eusc", "amazonaws.eu", "signin.amazonaws-eusc.eu", "console.amazonaws-eusc.eu"),
    Partition("aws-iso", "c2s.ic.gov", "signin.c2shome.ic.gov", None, signin_regional=False),
    Partition("aws-iso-b", "sc2s.sgov.gov", "signin.sc2shome.sgov.gov", None, signin_regional=False),
    Partition("aws-iso-e", "cloud.adc-e.uk", "signin.csphome.adc-e.uk", None, signin_regional=False),
    Partition("aws-iso-f", "csp.hci.ic.gov", "signin.csphome.hci.ic.gov", None, signin_regional=False),
)
PARTITIONS: Final[Mapping[str, Partition]] = MappingProxyType({row.name: row for row in _ROWS})
