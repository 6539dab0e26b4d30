"""A company whose directories were not written here: pysaml2's provider for staff, oidc-provider-mock for partners."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

import requests

from tests.company import ROOT, Company, Process, environment
from tests.ports import free_port

PASSWORD_OF_ALL: Final = "correct horse"
"""At pysaml2's provider; oidc-provider-mock asks for none."""

STAFF: Final = """\
type: saml
label: Acme staff
metadata: {url: "%s/metadata"}
claims:
  subject: NameID
  username: "urn:oid:0.9.2342.19200300.100.1.1"
  email: "urn:oid:0.9.2342.19200300.100.1.3"
  name: "urn:oid:2.16.840.1.113730.3.1.241"
  groups: "urn:oid:1.3.6.1.4.1.5923.1.5.1.1"
groups: {"cn=engineering,o=acme": engineering, "cn=on-call,o=acme": sre, "cn=finance,o=acme": finance}
"""
"""`config/providers/corp.yaml` for pysaml2's provider, whose address is `%s`."""

PARTNERS: Final = {
    "piotr-1": {
        "preferred_username": "piotr",
        "name": "Piotr Piątek",
        "email": "piotr@partner.test",
        "groups": ["contractors"],
    },
    "quinn-1": {"preferred_username": "quinn", "name": "Quinn Quigley", "groups": ["visitors"]},
}
"""What the OpenID provider says of a person, by subject."""


class ForeignCompany(Company):
    """The broker with both of them, each part in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.saml_url = f"http://127.0.0.1:{free_port()}"
        self.oidc_url = f"http://127.0.0.1:{free_port()}"
        partner = (ROOT / "config" / "providers" / "partner.yaml").read_text()
        super().__init__(
            folder,
            providers={
                "corp": STAFF % self.saml_url,
                "partner": partner.replace("http://127.0.0.1:8002", self.oidc_url),
            },
        )
        self.directories: list[Process] = []

    def __enter__(self) -> ForeignCompany:
        try:
            for name, url, command in (
                (
                    "saml",
                    f"{self.saml_url}/metadata",
                    [
                        "tests.journeys.idp_pysaml2",
                        *("--state", str(self.folder / "idp")),
                        *("--broker", f"{self.base_url}/saml/corp/metadata"),
                    ],
                ),
                (
                    "oidc",
                    f"{self.oidc_url}/.well-known/openid-configuration",
                    ["oidc_provider_mock", "--require-nonce", "true"],
                ),
            ):
                port = url.split(":")[2].split("/")[0]
                process = Process(
                    name, [sys.executable, "-m", *command, "--port", port], self.folder, environment()
                )
                self.directories.append(process)
                process.wait_for(url)
            for subject, claims in PARTNERS.items():
                requests.put(f"{self.oidc_url}/users/{subject}", json=claims, timeout=10).raise_for_status()
            super().__enter__()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        for process in self.directories:
            process.stop()

    def assumed(self) -> list[dict[str, Any]]:
        """The AssumeRole calls that AWS answered with credentials, oldest first."""
        calls = requests.get(f"{self.aws_url}/_double/requests", timeout=10).json()
        return [call for call in calls if call["action"] == "AssumeRole" and call["status"] == 200]
