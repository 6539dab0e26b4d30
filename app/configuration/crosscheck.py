"""What the files must be to one another: groups that are named can be had, tags fit into one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.configuration import accounts_file, provider_file
from app.configuration.accounts_file import RoleEntry
from app.configuration.client_exchange import exchanges
from app.configuration.clients_file import CLI, ClientFile
from app.configuration.fields import TAGS_MOST
from app.configuration.places import Fields, Path, Place
from app.configuration.problems import Problems
from app.configuration.provider_file import ProviderEntry
from app.configuration.typed import Entry
from app.model import APP_GROUPS

_GUESTS = "guests"


@dataclass(frozen=True, slots=True)
class Apps:
    """Which groups the people of apps have: `app/CLIENT`, and `app/CLIENT/guests`."""

    clients: Mapping[str, ClientFile | None]
    """By id; None for one whose file says nothing that could be used."""

    def problem(self, name: str, problems: Problems) -> str:
        """Why nobody can get a group `app/…`; empty if somebody can, or it cannot be known."""
        _, id, *rest = name.split("/")
        if id not in self.clients or rest not in ([], [_GUESTS]):
            apps = (id for id, file in self.clients.items() if file is None or exchanges(file))
            near = problems.near(name, [f"{APP_GROUPS}/{id}" for id in apps])
            return f"unknown group; `app/CLIENT` and `app/CLIENT/guests` are those of a client's people{near}"
        file = self.clients[id]
        if file is None:
            return ""
        if not exchanges(file):
            return f"nobody can get this group: client `{id}` does not have the grant `exchange`"
        if rest and not file.guests:
            return f"nobody can get this group: client `{id}` does not have `guests: true`"
        return ""


@dataclass(frozen=True, slots=True)
class Groups:
    """Who can get which group, as far as the files say."""

    tables: Mapping[str, tuple[Place, Mapping[str, str]]]
    """Provider → its file, and its rows (theirs: ours)."""
    described: Place | None
    """`groups.yaml`."""
    apps: Apps

    @property
    def bare(self) -> frozenset[str]:
        """Every bare group that somebody can get."""
        return frozenset(ours for _, rows in self.tables.values() for ours in rows.values())

    @property
    def named(self) -> frozenset[str]:
        """Every name in `groups.yaml`, also of groups that are wrong otherwise."""
        if self.described is None or not isinstance(self.described.node, Fields):
            return frozenset()
        return frozenset(self.described.node.entries)

    def keeps(self, source: str) -> bool:
        """Whether the provider takes the rest of its groups in as `SOURCE/NAME`."""
        return self.tables[source][0].find(("groups", provider_file.REST)) is not None


def groups(
    places: Mapping[str, Place],
    entries: Mapping[str, ProviderEntry],
    described: Place | None,
    clients: Mapping[str, Entry[ClientFile] | None],
) -> Groups:
    """Collect them; of a provider that is wrong elsewhere, what its table says is taken all the same."""
    tables = {}
    for source, place in places.items():
        entry = entries.get(source)
        rows = entry.value.groups if entry else provider_file.written_groups(place)
        tables[source] = (
            place,
            {theirs: ours for theirs, ours in rows.items() if ours not in {"", provider_file.KEEP}},
        )
    files = {id: entry.value if entry is not None else None for id, entry in clients.items()}
    built_in = {} if CLI.id in files else {CLI.id: ClientFile(name=CLI.name, grants=["code"])}
    return Groups(tables, described, Apps({**built_in, **files}))


def check_groups(
    known: Groups, roles: Sequence[RoleEntry], problems: Problems, *, local: bool = False
) -> None:
    """Every group that is named can be had, and every group that can be had is good for something.

    `local`: there may be local users, who are put into bare groups one by one.
    """
    bare, named = known.bare, known.named
    either = bare | named
    for found in roles:
        for path, name in accounts_file.named_groups(found):
            if "/" in name:
                _check_kept(name, known, found.role.place, path, problems)
            elif name and name not in either:
                words = "unknown group; no provider's `groups` gives it, and `groups.yaml` does not have it"
                problems.add(found.role.place, path, words + problems.near(name, either))
    if known.described is not None:
        for name in named:
            if "/" in name:
                _check_kept(name, known, known.described, (name,), problems)
            elif name not in bare and not local:
                words = (
                    f"nobody can get this group: no provider's `groups` gives it{problems.near(name, bare)}"
                )
                problems.add(known.described, (name,), words, on="key", level="warning")
    used = named.union(name for found in roles for _, name in accounts_file.named_groups(found))
    for place, rows in known.tables.values():
        for theirs, ours in rows.items():
            if ours not in used:
                words = f"`{ours}` opens nothing: no role allows it, and `groups.yaml` does not have it"
                problems.add(place, ("groups", theirs), words + problems.near(ours, used), level="warning")


def check_tags(
    roles: Sequence[RoleEntry], providers: Mapping[str, ProviderEntry], problems: Problems
) -> None:
    """Tags of a role and of a source's claims go into one call (STS API Reference, AssumeRole)."""
    for found in roles:
        if not found.role.value.tags:
            continue
        for source, entry in providers.items():
            _check_pair(found, source, entry.value.session_tags, problems)


def _check_pair(found: RoleEntry, source: str, theirs: Mapping[str, str], problems: Problems) -> None:
    place, tags = found.role.place, found.role.value.tags
    spelled = {key.lower(): key for key in theirs}
    for key in tags:
        other = spelled.get(key.lower(), key)
        if other != key:
            words = f"differs from the session tag `{other}` of provider `{source}` only in case; STS refuses both"
            problems.add(place, ("tags", key), words, on="key")
    if len(tags.keys() | theirs.keys()) > TAGS_MOST:
        words = f"are more than {TAGS_MOST} together with the session tags of provider `{source}`; STS takes no more"
        problems.add(place, ("tags",), words, on="key")


def _check_kept(name: str, known: Groups, place: Place, path: Path, problems: Problems) -> None:
    source = name.partition("/")[0]
    if source == APP_GROUPS:
        if words := known.apps.problem(name, problems):
            problems.add(place, path, words, on="key")
    elif source not in known.tables:
        problems.add(
            place, path, f"unknown provider `{source}`{problems.near(source, known.tables)}", on="key"
        )
    elif not known.keeps(source):
        words = f'nobody can get this group: the `groups` of provider `{source}` have no `"*": keep`'
        problems.add(place, path, words, on="key", level="warning")
