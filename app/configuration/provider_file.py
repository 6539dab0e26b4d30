"""`providers/NAME.yaml`: a source of identities."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Final, Literal

from pydantic import Field

from app.configuration import fields, presets
from app.configuration.fields import (
    Algorithm,
    CheckKind_,
    ClaimName,
    ClientAuth,
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
from app.model import (
    APP_GROUPS,
    GUEST,
    ClaimMap,
    GroupMap,
    MfaTrust,
    OAuth2Provider,
    OidcProvider,
    Provider,
    SamlProvider,
    SourceId,
    TokenCheck,
)
from app.people import LOCAL, ROOT

_TYPES: Final = "`saml`, `oidc` or `oauth2`"
KEEP: Final = "keep"
REST: Final = "*"
RESERVED: Final[Mapping[str, str]] = {
    APP_GROUPS: "is not a provider's id: `app/CLIENT` are the groups of an app's people; give the file another name",
    GUEST: "is not a provider's id: it is where an app's guests come from; give the file another name",
    LOCAL: "is not a provider's id: it is where the broker's own users come from; give the file another name, and "
    "write `local: {label: …}` in daypass.yaml for them",
    ROOT: "is not a provider's id: it is where the root user comes from; give the file another name",
}
"""Names that no provider's file has, and why."""


def _our_group(text: str) -> str:
    return text if text == KEEP else fields.bare_group(text)


def _preset(text: str) -> str:
    return fields.one_of(*presets.names())(text)


Preset = Annotated[str, Referable(_preset, {"enum": list(presets.names())})]
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


class Check(Strict):
    """How the provider is asked for which app an access token was made."""

    kind: CheckKind_ = Field(description="`none`: not at all, so no app may bring access tokens of it")
    url: Url | None = Field(
        default=None, description="where; for `github_check_token` what stands before `/CLIENT_ID/token`"
    )


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

    type: Literal["saml"] = Field(description=_TYPES)
    metadata: SamlMetadata = Field(description="`{url: …}`, or `{file: NAME}` in the configuration folder")
    mfa: SamlMfa | None = Field(
        default=None, description="what counts as proof of a second factor: `{context: […]}`"
    )


class OidcFile(_Source):
    """An OpenID provider."""

    type: Literal["oidc"] = Field(description=_TYPES)
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


class OAuth2File(_Source):
    """A provider of plain OAuth 2.0, which makes no ID tokens: a social network, mostly."""

    type: Literal["oauth2"] = Field(description=_TYPES)
    preset: Preset | None = Field(
        default=None, description="fills what is not said here: addresses, scopes, claims, the token check"
    )
    client_id: ClientId = Field(description="the name that the provider gave to this broker or its apps")
    client_secret: Secret | None = Field(
        default=None, description="a reference; leave it out for a public client"
    )
    authorize_url: Url = Field(description="the provider's sign-in page (RFC 6749, 3.1)")
    token_url: Url = Field(description="where a code is redeemed (RFC 6749, 3.2)")
    userinfo_url: Url = Field(description="where it says, in a JSON object, whose an access token is")
    emails_url: Url | None = Field(
        default=None,
        description="where the e-mail addresses stand, if apart, each with `primary` and `verified`",
    )
    scopes: list[Scope] = Field(default_factory=list, description="scopes to ask for")
    pkce: bool = Field(
        default=True, description="send a code challenge (RFC 7636); `false` where it is refused"
    )
    client_auth: ClientAuth = Field(
        default="body", description="how the secret is sent: in the `body`, or as HTTP `basic`"
    )
    appsecret_proof: bool = Field(default=False, description="Facebook: sign each call with the app's secret")
    check: Check | None = Field(
        default=None, description="how an access token that an app brings is checked: `{kind: …, url: …}`"
    )


ProviderFile = SamlFile | OidcFile | OAuth2File
ProviderEntry = Entry[SamlFile] | Entry[OidcFile] | Entry[OAuth2File]

KINDS: Final[Mapping[str, type[ProviderFile]]] = {
    "saml": SamlFile,
    "oidc": OidcFile,
    "oauth2": OAuth2File,
}


def read(place: Place, reader: Reader) -> ProviderEntry | None:
    """A provider's file, by its `type`."""
    node = place.find(("type",))
    if node is None:
        reader.problems.add(place, ("type",), f"is missing; expected: {_TYPES}", on="key")
        return None
    kind = node.value if isinstance(node, Scalar) else None
    if not isinstance(kind, str) or kind not in KINDS:
        near = nearest(kind, KINDS) if isinstance(kind, str) else ""
        reader.problems.add(place, ("type",), f"expected {_TYPES}{near}")
        return None
    if kind == "oauth2":
        named = place.find((presets.KEY,))
        if named is not None and not isinstance(named, Scalar):
            words = f"expected one of {', '.join(f'`{name}`' for name in presets.names())}, written out"
            reader.problems.add(place, (presets.KEY,), words)
        return reader.read(OAuth2File, presets.filled(place))
    return reader.read(SamlFile, place) if kind == "saml" else reader.read(OidcFile, place)


def check(entry: ProviderEntry, base_url: str | None, problems: Problems) -> None:
    """What the file's values must be to one another, and to the broker's address."""
    file, place = entry.value, entry.place
    _check_groups(file, place, problems)
    check_tags(file.session_tags, place, ("session_tags",), problems)
    if isinstance(file, SamlFile):
        _check_saml(file, place, base_url, problems)
    elif isinstance(file, OidcFile):
        _check_oidc(file, place, base_url, problems)
    else:
        _check_oauth2(file, place, base_url, problems)


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


def _check_oauth2(file: OAuth2File, place: Place, base_url: str | None, problems: Problems) -> None:
    for key in ("authorize_url", "token_url", "userinfo_url", "emails_url"):
        check_reachable(getattr(file, key), place, (key,), base_url, problems)
    check_unique(file.scopes, place, ("scopes",), problems)
    if file.client_secret is None:
        if not file.pkce:
            words = "without a `client_secret` nothing but the code challenge protects a code; take this out"
            problems.add(place, ("pkce",), words)
        if file.appsecret_proof:
            problems.add(place, ("appsecret_proof",), "needs the `client_secret`")
    if file.check is not None:
        _check_check(file.check, file, place, base_url, problems)


def _check_check(
    check: Check, file: OAuth2File, place: Place, base_url: str | None, problems: Problems
) -> None:
    if check.kind == "none":
        written = place.find(("check", "kind"))
        if check.url is not None and isinstance(written, Scalar) and written.value == "none":
            problems.add(place, ("check", "url"), "is not asked, since `kind` is `none`; take it out")
        return
    if check.url is None and place.find(("check", "url")) is None:
        problems.add(place, ("check",), f"needs `url`, the address of `{check.kind}`", on="key")
    check_reachable(check.url, place, ("check", "url"), base_url, problems)
    if file.client_secret is None and check.kind != "amazon_tokeninfo":
        problems.add(place, ("check", "kind"), f"`{check.kind}` needs the `client_secret`")


def _check_groups(file: ProviderFile, place: Place, problems: Problems) -> None:
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


def bare_groups(file: ProviderFile) -> frozenset[str]:
    """The groups of ours that the file's rows give."""
    return frozenset(file.groups.values()) - {KEEP}


def provider(source: str, file: ProviderFile, metadata_xml: bytes | None) -> Provider:
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
    if isinstance(file, OAuth2File):
        return _oauth2(source, file, claims, groups)
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


def _oauth2(source: str, file: OAuth2File, claims: ClaimMap, groups: GroupMap) -> OAuth2Provider:
    check = TokenCheck(file.check.kind, file.check.url or "") if file.check else TokenCheck()
    return OAuth2Provider(
        id=SourceId(source),
        label=file.label,
        authorize_url=file.authorize_url,
        token_url=file.token_url,
        userinfo_url=file.userinfo_url,
        emails_url=file.emails_url,
        client_id=file.client_id,
        client_secret=file.client_secret,
        claims=claims,
        groups=groups,
        scopes=tuple(file.scopes),
        check=check,
        pkce=file.pkce,
        client_auth=file.client_auth,
        appsecret_proof=file.appsecret_proof,
        session_tags=file.session_tags,
        boundary=file.boundary,
    )
