"""The files of a configuration → a checked, immutable Revision; or every problem at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from app.configuration import (
    accounts_file,
    client_exchange,
    clients_file,
    crosscheck,
    daypass_file,
    groups_file,
    policy_files,
    provider_file,
)
from app.configuration.accounts_file import RoleEntry
from app.configuration.clients_file import ClientFile
from app.configuration.daypass_file import DaypassFile
from app.configuration.document import parse, readable
from app.configuration.fields import POLICY_NAME, SOURCE_ID
from app.configuration.folder import digest
from app.configuration.groups_file import GroupTable
from app.configuration.places import Place
from app.configuration.problems import Problem, Problems, nearest, shown
from app.configuration.provider_file import ProviderEntry, SamlFile
from app.configuration.references import Outside, Wrong
from app.configuration.typed import Entry, Reader
from app.errors import ProviderFailed
from app.model import Group, PolicyText, Provider, Revision, SourceId
from app.policy import Kind

DAYPASS: Final = "daypass.yaml"
ACCOUNTS: Final = "accounts.yaml"
GROUPS: Final = "groups.yaml"
_PROVIDER: Final = re.compile(r"providers/(?P<name>[^/]+)\.yaml")
_CLIENT: Final = re.compile(r"clients/(?P<name>[^/]+)\.yaml")
_POLICY: Final = re.compile(r"policies/(?P<name>[^/]+)\.json")
_GUARDRAIL: Final = re.compile(r"guardrails/[^/]+/(?P<name>[^/]+)\.json")
_SOURCE_WORDS: Final = "1 to 32 of `a-z0-9-`, then `.yaml`"
_POLICY_WORDS: Final = "1 to 128 of `A-Za-z0-9_+=,.@-`, then `.json`"


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of it. `revision` is None if any problem is an error."""

    revision: Revision | None
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class _Parts:
    """Everything that was read, as far as it makes sense."""

    daypass: Entry[DaypassFile] | None
    places: Mapping[str, Place]
    """Providers whose files are YAML, by id."""
    providers: Mapping[str, ProviderEntry]
    metadata: Mapping[str, tuple[str, str]]
    """Provider → path and text of its metadata."""
    clients: Mapping[str, Entry[ClientFile] | None]
    """By id; None for one whose file says nothing that could be used."""
    roles: Sequence[RoleEntry]
    described: Place | None
    """`groups.yaml`."""
    groups: Mapping[str, Entry[GroupTable]]
    inline: Mapping[str, tuple[PolicyText, ...]]
    """Group → the policies that stand in YAML: its own, and those of roles for it."""
    policies: Mapping[str, PolicyText | None]
    """Every file of `policies/`, by name; None if it cannot be used."""
    guardrails: Mapping[str, tuple[PolicyText, ...]]
    files: Mapping[str, str]
    """What was read."""
    readable: bool
    """All files that say which groups there are could be read."""


def load(files: Mapping[str, str], environ: Mapping[str, str], root: Path, *, secrets: bool = True) -> Loaded:
    """Check a configuration as a whole.

    `files`: path in the folder → text, from `read_folder` or from the store. `environ`: where `{env: NAME}`
    is looked up. `root`: the folder's name, as problems show it; nothing is read there. `secrets` false: a
    reference that leads nowhere is a warning, and the revision, made of stand-ins there, only good for looking
    at. Raises nothing; the revision's number is 0.
    """
    problems = Problems(root.as_posix())
    parts = _read(files, Reader(Outside(environ), problems, secrets))
    _check(parts, problems)
    if problems.has_errors() or parts.daypass is None:
        return Loaded(None, problems.sorted())
    return Loaded(_revision(parts, parts.daypass.value), problems.sorted())


def database(files: Mapping[str, str], environ: Mapping[str, str]) -> str | None:
    """The database that `daypass.yaml` names, however wrong the other files are; None if it does not say."""
    file = _daypass(files, environ)
    return (file.database or None) if file else None


def key_file(files: Mapping[str, str], environ: Mapping[str, str]) -> str | None:
    """The key file that `daypass.yaml` names, however wrong the other files are; None if it does not say."""
    file = _daypass(files, environ)
    return (file.keys.file or None) if file else None


def _daypass(files: Mapping[str, str], environ: Mapping[str, str]) -> DaypassFile | None:
    problems = Problems()
    place = parse(DAYPASS, files.get(DAYPASS, ""), problems)
    entry = Reader(Outside(environ), problems, secrets=False).read(DaypassFile, place) if place else None
    return entry.value if entry else None


def _read(files: Mapping[str, str], reader: Reader) -> _Parts:
    problems = reader.problems
    for name in (DAYPASS, ACCOUNTS):
        if name not in files:
            problems.put(name, 0, 0, "", "is missing; copy the one that ships with daypass and change it")
    trees = {
        path: parse(path, text, problems)
        for path, text in sorted(files.items())
        if path in {DAYPASS, ACCOUNTS, GROUPS} or _PROVIDER.fullmatch(path) or _CLIENT.fullmatch(path)
    }
    main, accounts, described = trees.get(DAYPASS), trees.get(ACCOUNTS), trees.get(GROUPS)
    sources = _named(trees, _PROVIDER, SOURCE_ID, _SOURCE_WORDS, problems)
    places: dict[str, Place] = {}
    for path, name in sources:
        if name in provider_file.RESERVED:
            problems.put(path, 0, 0, "", f"`{name}` {provider_file.RESERVED[name]}")
        if (place := trees[path]) is not None:
            places[name] = place
    providers = {
        source: entry
        for source, place in places.items()
        if (entry := provider_file.read(place, reader)) is not None
    }
    metadata = dict(_metadata(providers, files, problems))
    clients = {
        name: clients_file.read(place, reader) if (place := trees[path]) is not None else None
        for path, name in _named(trees, _CLIENT, SOURCE_ID, _SOURCE_WORDS, problems)
    }
    policies = {
        name: policy_files.text(name, path, files[path], Kind.IDENTITY, problems)
        for path, name in _named(files, _POLICY, POLICY_NAME, _POLICY_WORDS, problems)
    }
    guardrails = _guardrails(files, problems)
    read = {path for path in files if path in trees or _POLICY.fullmatch(path) or _GUARDRAIL.fullmatch(path)}
    read |= {path for path, _ in metadata.values()}
    for path in sorted(files.keys() - read):
        if path.startswith("guardrails/"):
            # Not a warning: a guardrail that is not read would let in whom it was to keep out.
            problems.put(path, 0, 0, "", "is not read as a guardrail; expected `guardrails/LEVEL/NAME.json`")
        else:
            problems.put(path, 0, 0, "", f"unknown file; it is not read{_meant(path)}", "warning")
    daypass = reader.read(DaypassFile, main) if main else None
    roles = accounts_file.read(accounts, reader) if accounts else ()
    groups = groups_file.read(described, reader) if described else {}
    return _Parts(
        daypass=daypass,
        places=places,
        providers=providers,
        metadata=metadata,
        clients=clients,
        roles=roles,
        described=described,
        groups=groups,
        inline=_inline(roles, groups, daypass, problems),
        policies=policies,
        guardrails=guardrails,
        files={path: files[path] for path in sorted(read)},
        readable=all(tree is not None for path, tree in trees.items() if not _CLIENT.fullmatch(path)),
    )


def _check(parts: _Parts, problems: Problems) -> None:
    base_url = partition = None
    if parts.daypass is not None:
        daypass_file.check(parts.daypass, problems)
        base_url, partition = parts.daypass.value.base_url, parts.daypass.value.aws.partition
    has_local = parts.daypass is not None and parts.daypass.value.local is not None
    if not parts.places and parts.readable and not has_local:
        words = "holds no provider; nobody could sign in without one, or without `local` in daypass.yaml"
        problems.put("providers/", 0, 0, "", words)
    for entry in parts.providers.values():
        provider_file.check(entry, base_url, problems)
        policy_files.check_session(entry.value.boundary, parts.policies, entry.place, ("boundary",), problems)
    _check_clients(parts, partition, problems)
    for found in parts.roles:
        accounts_file.check(found, partition, problems)
        role = found.role
        policy_files.check_session(
            role.value.session_policy, parts.policies, role.place, ("session_policy",), problems
        )
        if role.value.break_glass:
            policy_files.check_emergency(
                role.value.session_policy, parts.policies, role.place, ("break_glass",), problems
            )
    for group in parts.groups.values():
        policy_files.check_attached(
            group.value.policies, parts.policies, group.place, ("policies",), problems
        )
    _check_metadata(parts, base_url, problems)
    crosscheck.check_tags(parts.roles, parts.providers, problems)
    if parts.readable:  # else names would be missed that stand in the file that cannot be read
        known = crosscheck.groups(parts.places, parts.providers, parts.described, parts.clients)
        crosscheck.check_groups(known, parts.roles, problems, local=has_local)


def _check_clients(parts: _Parts, partition: str | None, problems: Problems) -> None:
    clients = _usable(parts.clients)
    for client in clients.values():
        clients_file.check(client, problems)
        client_exchange.check(client, problems)
    clients_file.check_names(clients, problems)
    if not parts.readable:
        return
    arns = {accounts_file.arn(found, partition) for found in parts.roles} if partition else None
    for client in clients.values():
        client_exchange.check_sources(client, parts.places, parts.providers, problems)
        if arns is not None:
            client_exchange.check_roles(client, arns, problems)


def _usable(clients: Mapping[str, Entry[ClientFile] | None]) -> Mapping[str, Entry[ClientFile]]:
    return {id: entry for id, entry in clients.items() if entry is not None}


def _revision(parts: _Parts, main: DaypassFile) -> Revision:
    partition = main.aws.partition or "aws"  # empty where a reference leads nowhere and that is let pass
    providers: dict[SourceId, Provider] = {}
    for source, entry in parts.providers.items():
        _, text = parts.metadata.get(source, ("", None))
        xml = text.encode() if text is not None else None
        providers[SourceId(source)] = provider_file.provider(source, entry.value, xml)
    groups = {
        name: Group(name=name)
        for entry in parts.providers.values()
        for name in provider_file.bare_groups(entry.value)
    }
    groups |= {
        name: groups_file.group(name, entry.value, parts.inline.get(name, ()))
        for name, entry in parts.groups.items()
    }
    groups |= {
        name: Group(name, inline=own) for name, own in parts.inline.items() if name not in parts.groups
    }
    return Revision(
        number=0,
        digest=digest(parts.files),
        settings=daypass_file.settings(main),
        providers=providers,
        roles={
            accounts_file.arn(found, partition): accounts_file.role(found, partition) for found in parts.roles
        },
        groups=dict(sorted(groups.items())),
        policies={name: document for name, document in parts.policies.items() if document is not None},
        guardrails=tuple(parts.guardrails.items()),
        files=parts.files,
        clients=clients_file.clients(_usable(parts.clients)),
        short_form_places={
            accounts_file.arn(found, partition): (
                found.role.place.file,
                found.role.place.of_key(("allow",)).line,
            )
            for found in parts.roles
            if found.role.value.allow
        },
    )


def _inline(
    roles: Sequence[RoleEntry],
    groups: Mapping[str, Entry[GroupTable]],
    daypass: Entry[DaypassFile] | None,
    problems: Problems,
) -> Mapping[str, tuple[PolicyText, ...]]:
    partition = (daypass.value.aws.partition if daypass else "") or "aws"
    found = {name: list(groups_file.inline(name, entry, problems)) for name, entry in groups.items()}
    for role in roles:
        for group, text in accounts_file.inline(role, partition, problems):
            found.setdefault(group, []).append(text)
    return {name: tuple(own) for name, own in found.items() if own}


def _named(
    paths: Iterable[str], where: re.Pattern[str], form: re.Pattern[str], words: str, problems: Problems
) -> Iterator[tuple[str, str]]:
    """(path, name) of the files of one kind; the name is the file's own."""
    for path in sorted(paths):
        found = where.fullmatch(path)
        if found and form.fullmatch(found["name"]):
            yield path, found["name"]
        elif found:
            problems.put(path, 0, 0, "", f"the file's name is the id of what it holds; expected {words}")


def _guardrails(files: Mapping[str, str], problems: Problems) -> Mapping[str, tuple[PolicyText, ...]]:
    levels: dict[str, tuple[PolicyText, ...]] = {}
    for path, name in _named(files, _GUARDRAIL, POLICY_NAME, _POLICY_WORDS, problems):
        level = path.split("/")[1]
        document = policy_files.text(f"{level}/{name}", path, files[path], Kind.GUARDRAIL, problems)
        if document is not None:
            levels[level] = (*levels.get(level, ()), document)
    return levels


def _metadata(
    providers: Mapping[str, ProviderEntry], files: Mapping[str, str], problems: Problems
) -> Iterator[tuple[str, tuple[str, str]]]:
    for source, entry in providers.items():
        if not isinstance(entry.value, SamlFile) or not entry.value.metadata.file:
            continue
        at = (entry.place, ("metadata", "file"))
        try:
            path = provider_file.metadata_path(entry.value.metadata.file)
        except Wrong as wrong:
            problems.add(*at, str(wrong))
            continue
        if path not in files:
            near = nearest(path, (known for known in files if not known.endswith((".yaml", ".json"))))
            problems.add(*at, f"there is no such file in the configuration folder{near}")
        else:
            yield source, (path, files[path])


def _check_metadata(parts: _Parts, base_url: str | None, problems: Problems) -> None:
    if not parts.metadata:
        return
    # Only here: it loads the XML library, which a configuration without such a file does without.
    from app.signin.saml_metadata import read_metadata

    for path, text in parts.metadata.values():
        if not readable(path, text, problems):
            continue
        try:
            read_metadata(text.encode(), loopback=(base_url or "http:").startswith("http:"))
        except ProviderFailed as failed:
            problems.put(path, 0, 0, "", shown(failed.detail))


def _meant(path: str) -> str:
    stem = PurePosixPath(path).stem
    return nearest(
        path,
        (
            DAYPASS,
            ACCOUNTS,
            GROUPS,
            f"providers/{stem}.yaml",
            f"clients/{stem}.yaml",
            f"policies/{stem}.json",
        ),
    )
