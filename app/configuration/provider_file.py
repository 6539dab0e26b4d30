"""`providers/NAME.yaml`: a source of identities."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Final, Literal

from pydantic import Field

from app.configuration import fields
from app.configuration.fields import (
    Algorithm,
    ClaimName,
    ClientId,
    FilePath,
    Issuer,
    Label,
    PolicyName,
    Scope,
    Secret,
    Strict,
    TagKey,
    TheirGroup,
    Url,
)
from app.configuration.places import Fields, Place, Scalar
from app.configuration.problems import Problems, nearest
from app.configuration.references import Referable, Wrong
from app.configuration.rules import check_reachable, check_tags, check_unique
from app.configuration.typed import Entry, Reader
from app.model import ClaimMap, GroupMap, MfaTrust, OidcProvider, Provider, SamlProvider, SourceId

KEEP: Final = "keep"
REST: Final = "*"


def _our_group(text: str) -> str:
    return text if text == KEEP else fields.bare_group(text)


OurGroup = Annotated[str, Referable(_our_group, {"type": "string", "minLength": 1})]


class Claims(Strict):
    """Which claim or attribute means what."""

    subject: ClaimName = Field(
        description="the stable name of a person at this source (SAML: `NameID` or an attribute)"
    )
    username: ClaimName = Field(description="the name that people and CloudTrail see")
    email: ClaimName | None = Field(default=None, description="the e-mail address; display only")
    name: ClaimName | None = Field(default=None, description="the display name")
    groups: ClaimName | None = Field(default=None, description="the groups; a sign-in without it is refused")


class SamlMetadata(Strict):
    """Where the provider's metadata is."""

    url: Url | None = Field(
        default=None, description="an address; what is found there is kept once activated"
    )
    file: FilePath | None = Field(default=None, description="a file in the configuration folder")


class SamlMfa(Strict):
    """What counts as proof of a second factor."""

    context: list[ClaimName] = Field(description="values of AuthnContextClassRef")


class OidcMfa(Strict):
    """What counts as proof of a second factor."""

    methods: list[ClaimName] = Field(default_factory=list, description="values of `amr` (RFC 8176)")
    context: list[ClaimName] = Field(default_factory=list, description="values of `acr`")


class _Source(Strict):
    """What every kind of source has."""

    label: Label = Field(description="the name on the sign-in page")
    claims: Claims = Field(description="which claim or attribute means what")
    groups: dict[TheirGroup, OurGroup] = Field(
        default_factory=dict, description='their group: ours; `"*": keep` takes the rest in as `SOURCE/NAME`'
    )
    session_tags: dict[TagKey, ClaimName] = Field(default_factory=dict, description="AWS session tag: claim")
    boundary: PolicyName | None = Field(
        default=None, description="a policy of `policies/` that caps every session of this source"
    )


class SamlFile(_Source):
    """A SAML 2.0 identity provider."""

    type: Literal["saml"] = Field(description="`saml` or `oidc`")
    metadata: SamlMetadata = Field(description="`{url: …}`, or `{file: NAME}` in the configuration folder")
    mfa: SamlMfa | None = Field(
        default=None, description="what counts as proof of a second factor: `{context: […]}`"
    )


class OidcFile(_Source):
    """An OpenID provider."""

    type: Literal["oidc"] = Field(description="`saml` or `oidc`")
    issuer: Issuer = Field(description="the issuer, exactly as the provider writes it")
    client_id: ClientId = Field(description="the name that the provider gave to this broker")
    client_secret: Secret | None = Field(
        default=None, description="a reference; leave it out for a public client"
    )
    scopes: list[Scope] = Field(
        default_factory=lambda: ["openid"], description="scopes to ask for, `openid` among them"
    )
    algorithms: list[Algorithm] = Field(
        default_factory=lambda: ["RS256"],
        description="signature algorithms of ID tokens; asymmetric ones only",
    )
    userinfo: bool = Field(default=False, description="also ask the userinfo endpoint")
    mfa: OidcMfa | None = Field(
        default=None, description="what counts as proof of a second factor: `{methods: […]}`"
    )


ProviderEntry = Entry[SamlFile] | Entry[OidcFile]

KINDS: Final[Mapping[str, type[SamlFile] | type[OidcFile]]] = {"saml": SamlFile, "oidc": OidcFile}


def read(place: Place, reader: Reader) -> ProviderEntry | None:
    """A provider's file, by its `type`."""
    node = place.find(("type",))
    if node is None:
        reader.problems.add(place, ("type",), "is missing; expected: `saml` or `oidc`", on="key")
        return None
    kind = node.value if isinstance(node, Scalar) else None
    if not isinstance(kind, str) or kind not in KINDS:
        near = nearest(kind, KINDS) if isinstance(kind, str) else ""
        reader.problems.add(place, ("type",), f"expected `saml` or `oidc`{near}")
        return None
    return reader.read(SamlFile, place) if kind == "saml" else reader.read(OidcFile, place)


def check(entry: ProviderEntry, base_url: str | None, problems: Problems) -> None:
    """What the file's values must be to one another, and to the broker's address."""
    file, place = entry.value, entry.place
    _check_groups(file, place, problems)
    check_tags(file.session_tags, place, ("session_tags",), problems)
    if isinstance(file, SamlFile):
        _check_saml(file, place, base_url, problems)
    else:
        _check_oidc(file, place, base_url, problems)


def _check_saml(file: SamlFile, place: Place, base_url: str | None, problems: Problems) -> None:
    url, path = file.metadata.url, file.metadata.file
    if (url is None) == (path is None):
        problems.add(place, ("metadata",), "expected exactly one of `{url: …}` and `{file: …}`", on="key")
    check_reachable(url, place, ("metadata", "url"), base_url, problems)
    if file.mfa is not None and not file.mfa.context:
        problems.add(
            place, ("mfa", "context"), "is empty; leave `mfa` out if nothing counts as a second factor"
        )


def _check_oidc(file: OidcFile, place: Place, base_url: str | None, problems: Problems) -> None:
    check_reachable(file.issuer, place, ("issuer",), base_url, problems)
    if "openid" not in file.scopes and "" not in file.scopes:
        problems.add(
            place, ("scopes",), "expected `openid` among the scopes (OpenID Connect Core 1.0, 3.1.2.1)"
        )
    if not file.algorithms:
        problems.add(place, ("algorithms",), "is empty; expected what the provider signs with: `[RS256]`")
    check_unique(file.scopes, place, ("scopes",), problems)
    check_unique(file.algorithms, place, ("algorithms",), problems)
    if file.mfa is not None and not (file.mfa.methods or file.mfa.context):
        problems.add(place, ("mfa",), "is empty; leave it out if nothing counts as a second factor", on="key")


def _check_groups(file: SamlFile | OidcFile, place: Place, problems: Problems) -> None:
    for theirs, ours in file.groups.items():
        if theirs == REST and ours != KEEP:
            words = f'would put everybody into `{ours}`; expected `"*": keep`, which takes them in as `SOURCE/NAME`'
            problems.add(place, ("groups", theirs), words)
        elif theirs != REST and ours == KEEP:
            problems.add(place, ("groups", theirs), '`keep` belongs to `"*"` alone; name one of your groups')
    if file.groups and file.claims.groups is None and place.find(("claims", "groups")) is None:
        words = "needs `claims.groups`, the claim that the groups come from"
        problems.add(place, ("groups",), words, on="key")


def metadata_path(text: str) -> str:
    """The path in the configuration folder that `metadata: {file: …}` names. Raises Wrong if it leaves the folder."""
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or "\\" in text:
        raise Wrong("leaves the configuration folder; expected a file in it: `{file: corp-metadata.xml}`")
    if any(part.startswith(".") for part in path.parts):
        raise Wrong("expected a file that does not begin with a dot")
    return str(path)


def written_groups(place: Place) -> Mapping[str, str]:
    """The rows of a provider's `groups` (theirs: ours) as they stand in a file that is wrong elsewhere."""
    node = place.find(("groups",))
    if not isinstance(node, Fields):
        return {}
    rows = ((theirs, value) for theirs, (_, value) in node.entries.items())
    return {
        theirs: value.value
        for theirs, value in rows
        if isinstance(value, Scalar) and isinstance(value.value, str)
    }


def bare_groups(file: SamlFile | OidcFile) -> frozenset[str]:
    """The groups of ours that the file's rows give."""
    return frozenset(file.groups.values()) - {KEEP}


def provider(source: str, file: SamlFile | OidcFile, metadata_xml: bytes | None) -> Provider:
    """The file as the rest of the program takes it."""
    claims = ClaimMap(**file.claims.model_dump())
    groups = GroupMap(
        names={theirs: ours for theirs, ours in file.groups.items() if theirs != REST},
        keep=REST in file.groups,
    )
    if isinstance(file, SamlFile):
        return SamlProvider(
            id=SourceId(source),
            label=file.label,
            claims=claims,
            groups=groups,
            metadata_url=file.metadata.url,
            metadata_xml=metadata_xml,
            session_tags=file.session_tags,
            mfa=MfaTrust(contexts=frozenset(file.mfa.context if file.mfa else ())),
            boundary=file.boundary,
        )
    return OidcProvider(
        id=SourceId(source),
        label=file.label,
        issuer=file.issuer,
        client_id=file.client_id,
        client_secret=file.client_secret,
        claims=claims,
        groups=groups,
        scopes=tuple(file.scopes),
        algorithms=tuple(file.algorithms),
        session_tags=file.session_tags,
        mfa=MfaTrust(
            contexts=frozenset(file.mfa.context if file.mfa else ()),
            methods=frozenset(file.mfa.methods if file.mfa else ()),
        ),
        boundary=file.boundary,
        userinfo=file.userinfo,
    )
