"""`make run`: the broker, the demo directory, the demo app and the AWS double on this machine, until Ctrl-C.

    python -m demo.run --port 8000 --var var

The configuration (`config/`, or the folder that DAYPASS_CONFIG names) is copied anew to `VAR/config` at
each start, with this copy's addresses in it: edit the original and start again. Everything that must last
(database, keys, secrets) is in VAR. `VAR/demo.json` is there while all of it is up.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Final

import yaml

from demo.aws.accounts import load_or_create
from demo.directory import people
from demo.running import aws_side, entitled, folder
from demo.running.children import Child, refuse_used_ports, stop, wait_until_ready
from demo.running.folder import CannotRun
from demo.running.local_people import local_person
from demo.running.relocate import MAIN_FILE, Ports, database_url, relocate

ROOT: Final = Path(__file__).resolve().parent.parent
READY_SECONDS: Final = 60.0
APP_FILE: Final = "clients/photo-app.yaml"
"""What lets the demo app in."""


def main(arguments: list[str] | None = None) -> int:
    """Run the demo. Returns 0 after Ctrl-C or SIGTERM, 1 if it could not run on, 2 for wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m demo.run", description=__doc__.split("\n")[0])
    parser.add_argument(
        "--port", type=int, default=8000, help="the broker's; +1 SAML, +2 OpenID, +3 social, +4 app, +90 AWS"
    )
    parser.add_argument("--var", type=Path, default=Path("var"), help="state folder")
    given = parser.parse_args(arguments)
    try:
        ports = Ports(given.port)
    except ValueError as error:
        parser.error(str(error))
    source = Path(os.environ.get("DAYPASS_CONFIG") or ROOT / "config").resolve()
    state = given.var.resolve()
    ending = _Ending()
    try:
        with folder.held(state):
            Demo(ports, source, state).run(ending)
    except CannotRun as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"\nThe demo cannot use {error.filename or state}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


class _Ending:
    """Whether somebody asked for the end."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._hear)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self.asked = True

    def keep_on(self) -> bool:
        """True until then."""
        return not self.asked


class Demo:
    """One copy of the demo: its addresses, its configuration, its processes."""

    def __init__(self, ports: Ports, source: Path, state: Path) -> None:
        """Copy and move the configuration. Raises CannotRun, OSError."""
        self.ports, self.source, self.state = ports, source, state
        self.config = state / "config"
        self._told = state / "demo.json"
        self._told.unlink(missing_ok=True)
        self.files = relocate(folder.read_config(source), ports, state)
        folder.copy_config(source, self.config, self.files)
        self._log = state / "log"
        self._log.mkdir(exist_ok=True)
        names = secret_names(self.files)
        self._secrets = folder.demo_secrets(state / "demo-secrets", names, os.environ)
        self._children: list[Child] = []
        self._local: Mapping[str, str] | None = None

    def run(self, ending: _Ending) -> None:
        """Start everything, say so, wait for the end, stop everything. Raises CannotRun if a part ends."""
        began = time.monotonic()
        refuse_used_ports(
            {
                self.ports.broker: "the broker",
                self.ports.saml: "the demo directory, SAML",
                self.ports.oidc: "the demo directory, OpenID",
                self.ports.social: "the demo directory, social network",
                self.ports.app: "the demo app",
                self.ports.aws: "the AWS double",
            }
        )
        print("Starting the AWS double, the demo directory, the demo app and the broker …", flush=True)
        try:
            self._start(ending)
            if ending.keep_on():
                facts = self.facts()
                folder.write_private(self._told, json.dumps(facts, indent=2, ensure_ascii=False) + "\n")
                print(summary(facts, self, time.monotonic() - began), flush=True)
            while ending.keep_on():
                for child in self._children:
                    child.check()
                time.sleep(0.1)
        finally:
            print("\nStopping …", flush=True)
            self._told.unlink(missing_ok=True)
            for name in stop(self._children):
                print(f"{name} did not stop in time and was killed.", file=sys.stderr)
        print("All stopped.", flush=True)

    def _start(self, ending: _Ending) -> None:
        ports = self.ports
        clean = clean_environment(os.environ)
        broker_key = load_or_create(self.state / "aws").broker
        accounts = self.state / "aws" / "accounts.yaml"
        folder.write_private(accounts, yaml.safe_dump(self._accounts(), sort_keys=False))
        aws = self._child(
            "The AWS double",
            [
                "demo.aws",
                "--port",
                str(ports.aws),
                "--state",
                str(self.state / "aws"),
                "--accounts",
                str(accounts),
            ],
            {**clean, **self._secrets},
        )
        directory = self._child(
            "The demo directory",
            [
                "demo.directory",
                *("--saml-port", str(ports.saml), "--oidc-port", str(ports.oidc)),
                *("--social-port", str(ports.social), "--page", f"{ports.app_url}/"),
                *("--broker", ports.base_url, "--state", str(self.state / "directory")),
            ],
            {**clean, **self._secrets},
        )
        app = self._child(
            "The demo app",
            [
                *("demo.app", "--port", str(ports.app), "--broker", ports.base_url),
                *("--social", ports.social_url, "--source", "social", "--s3", ports.aws_url),
            ],
            clean,
        )
        # The broker reads the directory's metadata when it starts, so that comes first.
        for child, url in (
            (aws, f"{ports.aws_url}/_double/"),
            (directory, f"{ports.saml_url}/metadata"),
            (directory, f"{ports.oidc_url}/.well-known/openid-configuration"),
            (directory, f"{ports.social_url}/"),
            (app, f"{ports.app_url}/"),
        ):
            wait_until_ready(child, url, others=self._children, seconds=READY_SECONDS, keep_on=ending.keep_on)
        if not ending.keep_on():
            return
        env = {
            **clean,
            **self._secrets,
            # Never the database of whoever runs the demo: its configuration would become the active one there.
            "DAYPASS_DATABASE": database_url(self.state),
            "DAYPASS_CONFIG": str(self.config),
            "AWS_ACCESS_KEY_ID": broker_key.access_key_id,
            "AWS_SECRET_ACCESS_KEY": broker_key.secret_access_key,
            "AWS_EC2_METADATA_DISABLED": "true",
            # Not the files of whoever runs the demo.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }
        broker = self._child("The broker", ["app", "serve"], env)
        wait_until_ready(
            broker,
            f"{ports.base_url}/readyz",
            others=self._children,
            seconds=READY_SECONDS,
            keep_on=ending.keep_on,
        )
        if ending.keep_on() and entitled.has_local_people(self.files):
            self._local = local_person(ports.base_url, ROOT, self.state, env)

    def _child(self, name: str, module: Sequence[str], env: Mapping[str, str]) -> Child:
        log = self._log / f"{'broker' if module[0] == 'app' else module[0].rpartition('.')[2]}.log"
        child = Child(name, ["-m", *module], cwd=ROOT, env=env, log=log)
        self._children.append(child)
        return child

    def _accounts(self) -> dict[str, Any]:
        text = (ROOT / "demo" / "aws" / "accounts.yaml").read_text("utf-8")
        settings = entitled.read(self.files[MAIN_FILE])
        regions = settings.get("aws", {}).get("regions", []) if isinstance(settings, dict) else []
        return aws_side.accounts(
            yaml.safe_load(text), entitled.roles(self.files), regions, {**os.environ, **self._secrets}
        )

    def facts(self) -> dict[str, Any]:
        """The content of `VAR/demo.json`."""
        return {
            "base_url": self.ports.base_url,
            "sts_endpoint": self.ports.aws_url,
            "console_endpoint": self.ports.aws_url,
            "pid": os.getpid(),
            "providers": [
                {"id": source.id, "type": source.type, "label": source.label}
                for source in entitled.sources(self.files)
            ],
            "people": entitled.demo_people(self.files, people.load()),
            "local": self._local,
        }


def secret_names(files: Mapping[str, str]) -> set[str]:
    """Environment variables that the configuration takes client secrets and external IDs from."""
    names: set[str] = set()

    def look(value: object) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                if key in ("client_secret", "external_id") and isinstance(inner, dict) and "env" in inner:
                    names.add(str(inner["env"]))
                look(inner)
        elif isinstance(value, list):
            for inner in value:
                look(inner)

    for text in files.values():
        look(entitled.read(text))
    return names


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without what would point at real AWS, at a proxy, or at another broker's folder."""
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith("AWS_") and not name.lower().endswith("_proxy") and name != "DAYPASS_CONFIG"
    } | {"PYTHONUNBUFFERED": "1"}


def summary(facts: Mapping[str, Any], demo: Demo, seconds: float) -> str:
    """What to try, for the terminal."""
    ports = demo.ports
    labels = {provider["id"]: provider["label"] for provider in facts["providers"]}
    names = {role.arn: f"{role.account_name}/{role.name}" for role in entitled.roles(demo.files)}
    rows = [("Username", "Password", "From", "May assume")]
    for person in facts["people"]:
        nothing = "nothing: see how a refusal looks"
        if person["provider"] == "social" and APP_FILE in demo.files:
            nothing = "nothing here; in the app (5.) a folder of their own"
        may = ", ".join(names[arn] for arn in person["roles"]) or nothing
        rows.append((person["username"], person["password"], labels[person["provider"]], may))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    table = [
        "  " + "  ".join([*(row[column].ljust(widths[column]) for column in range(3)), row[3]])
        for row in rows
    ]
    return "\n".join(
        [
            "",
            f"daypass is up after {seconds:.1f} s:  {facts['base_url']}",
            "",
            *table,
            "",
            "Try",
            f"  1. Open {facts['base_url']}, choose a source, sign in as somebody from the list.",
            "  2. Choose a role: Console opens the (pretended) AWS console, Keys shows temporary credentials.",
            "  3. With the keys in your shell, ask the AWS double who you are:",
            f"       aws sts get-caller-identity --region eu-west-1 --endpoint-url {facts['sts_endpoint']}",
            "  4. The JSON API, and what it says to somebody who is not signed in:",
            f"       curl {facts['base_url']}/v1/openapi.json",
            f"       curl -i {facts['base_url']}/v1/me",
            *(
                [
                    "  5. An app whose people get keys for their own folder in S3 (docs/how-to/apps.md):",
                    f"       {ports.app_url}",
                    "     The same as a script, with a token of the app's sign-in (the page says where to find one):",
                    f"       BROKER={facts['base_url']} S3={ports.aws_url} .venv/bin/python demo/mobile.py TOKEN FILE",
                ]
                if APP_FILE in demo.files
                else []
            ),
            *(
                [
                    "  A user of daypass's own, for whom no directory is needed; a role of theirs wants a second factor:",
                    f"       {facts['local']['username']}  {facts['local']['password']}",
                    f"     Make more, or set up root, with DAYPASS_CONFIG={demo.config}:",
                    "       .venv/bin/python -m app user --help      .venv/bin/python -m app root setup",
                ]
                if facts["local"]
                else []
            ),
            "  To be somebody else, sign out of daypass and of the directory:",
            f"       {ports.saml_url} ({labels.get('corp', 'SAML')})  {ports.oidc_url} ({labels.get('partner', 'OpenID')})",
            f"       {ports.social_url} ({labels.get('social', 'social network')})",
            "",
            f"State and logs: {demo.state}   Facts for scripts: {demo.state / 'demo.json'}",
            f"Configuration: {demo.source} (copied to {demo.config} at each start; edit the first)",
            "Ctrl-C ends it.",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
