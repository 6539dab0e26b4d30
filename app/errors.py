"""Refusals: every "no" that a person or a program can meet.

    Refusal
    ├── ProofRefused     401  a sign-in proof was not believed, or nobody is signed in
    ├── AccessRefused    403  the decision is no, and something the person could do would change it
    ├── Unknown          404  no such thing, or nothing the person could do would open it
    ├── AskRefused       422  the question is malformed (and its kin 400, 405, 409, 413, 415)
    ├── TooMany          429  slow down
    ├── UpstreamFailed   502  a provider or STS lied or failed
    └── Unavailable      503  cannot decide safely now

A refusal carries a stable `code` (listed in docs/reference/errors.md), `words` for the person, and
`detail` for the operator and the audit record, which never reaches the person. Each delivery renders
it in its own wire shape. Words say what happened, then what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class Refusal(Exception):
    """A "no" with its reason.

    `detail` is for operators: it may quote what the other side sent (escaped when logged) and is
    never shown to the person. `words`, when given, replaces the class's default words.
    """

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 403
    title: ClassVar[str] = "Refused"
    default_words: ClassVar[str] = "This was refused."

    def __init__(self, detail: str = "", *, words: str | None = None, retry_after: int | None = None) -> None:
        super().__init__(detail or self.default_words)
        self.detail = detail
        self.words = words or self.default_words
        self.retry_after = retry_after
        self.members: Mapping[str, object] = {}
        """More of RFC 9457's extension members for programs, as JSON values; never a secret."""
        self.recorded = False
        """True once audit has it, so that it is put on record in one place only."""


# --- 401 ------------------------------------------------------------------------------------------


class ProofRefused(Refusal):
    code = "signin.refused"
    status = 401
    title = "Sign-in refused"
    default_words = "This sign-in could not be accepted. Start again from the sign-in page."


class NotSignedIn(ProofRefused):
    code = "session.missing"
    title = "Not signed in"
    default_words = "You are not signed in, or your session has ended. Sign in and try again."


class TokenInvalid(ProofRefused):
    """What `Authorization` carries is no token of ours (RFC 6750, 3.1)."""

    code = "token.invalid"
    title = "Token not accepted"
    default_words = "The token in the `Authorization` header is not accepted here. Sign in and use a new one."


class SignInNotOurs(ProofRefused):
    """Unknown, used, expired, another browser's or another source's request; or none at all."""

    code = "signin.not_started_here"
    default_words = (
        "This answer belongs to a sign-in that was not started in this browser, was already used, or took "
        "longer than ten minutes. Start again from the sign-in page."
    )


class SignInDenied(ProofRefused):
    """The provider itself said no (SAML status, OIDC `error`)."""

    code = "signin.denied_by_provider"
    default_words = "Your directory did not sign you in. Try again, or ask its administrator."


class CredentialsWrong(ProofRefused):
    """Name or password; which of them, whether there is such a user or whether it is disabled is not told."""

    code = "signin.wrong"
    title = "Not signed in"
    default_words = "That name and password do not fit. Check both and try again."


class CodeWrong(ProofRefused):
    """A code or a security key's answer that does not fit, was used before, or is late."""

    code = "mfa.wrong"
    title = "Not accepted"
    default_words = "That was not accepted. Wait for the next code, or use another of your factors."


class ChallengeOver(ProofRefused):
    """Unknown, finished, expired, of another browser, or five wrong answers."""

    code = "mfa.over"
    title = "Start again"
    default_words = (
        "This took too long, was finished already, or there were too many wrong answers. Start again."
    )


class LinkInvalid(ProofRefused):
    """A one-time link that is unknown, used or expired; which is not told."""

    code = "link.invalid"
    title = "This link is not good any more"
    default_words = "This link was used already, or it has expired. Ask for a new one."


class SamlRefused(ProofRefused):
    code = "saml.refused"


class SamlShape(SamlRefused):
    """The document is not of the one shape that we accept; found before any signature work."""

    code = "saml.shape"
    default_words = "Your directory's answer has a form that is not accepted here. Tell its administrator."


class SamlSignature(SamlRefused):
    code = "saml.signature"
    default_words = "Your directory's answer is not signed as it must be. Tell its administrator."


class SamlIssuer(SamlRefused):
    code = "saml.issuer"


class SamlAudience(SamlRefused):
    code = "saml.audience"
    default_words = "This sign-in was made for another site. Start again from the sign-in page."


class SamlDestination(SamlRefused):
    """Destination or Recipient is not our assertion consumer service."""

    code = "saml.destination"
    default_words = "This sign-in was made for another site. Start again from the sign-in page."


class SamlTime(SamlRefused):
    code = "saml.time"
    default_words = (
        "Your directory's answer is out of date, or its clock differs from ours by more than a minute. "
        "Start again from the sign-in page."
    )


class SamlReplay(SamlRefused):
    code = "saml.replayed"
    default_words = "This sign-in was already used once. Start again from the sign-in page."


class SamlContent(SamlRefused):
    """Subject, status, statements or attributes are missing, doubled or odd."""

    code = "saml.content"
    default_words = "Your directory's answer lacks something that is needed here. Tell its administrator."


class OidcRefused(ProofRefused):
    code = "oidc.refused"


class OidcIssuer(OidcRefused):
    """`iss` of the authorization response is foreign or missing (RFC 9207)."""

    code = "oidc.issuer"


class OidcToken(OidcRefused):
    """The ID token's signature, algorithm, type or form."""

    code = "oidc.token"


class OidcClaims(OidcRefused):
    """The ID token's claims (OIDC Core 3.1.3.7)."""

    code = "oidc.claims"


class OidcNonce(OidcRefused):
    code = "oidc.nonce"


class OidcUserinfo(OidcRefused):
    code = "oidc.userinfo"


class OAuth2Refused(ProofRefused):
    """A plain OAuth 2.0 provider does not take the code that came back, or none came."""

    code = "oauth2.refused"


class OAuth2Profile(OAuth2Refused):
    """What a plain OAuth 2.0 provider says of the person is of another form or type than it must be."""

    code = "oauth2.profile"


class SubjectTokenRefused(ProofRefused):
    """A token that an app presents for its person (RFC 8693, RFC 7522) is not believed."""

    code = "exchange.token"
    title = "Token not accepted"
    default_words = "The token that was presented is not accepted here. Get a new one from its provider."


class SubjectTokenKind(SubjectTokenRefused):
    """The source takes no tokens of this kind."""

    code = "exchange.kind"
    default_words = "Tokens of this kind are not taken from this source."


class SubjectTokenAudience(SubjectTokenRefused):
    """It was made for another app, or for another place than this."""

    code = "exchange.audience"
    default_words = (
        "The token that was presented was made for another app. Sign in at the provider from this one."
    )


class SubjectTokenExpired(SubjectTokenRefused):
    """Its time is over, or has not come yet."""

    code = "exchange.expired"
    default_words = (
        "The token that was presented is out of date, or its provider's clock differs from ours by more than a "
        "minute. Get a new one from its provider."
    )


class IdentityIncomplete(ProofRefused):
    """A claim that the configuration needs (subject, username) is missing, doubled or empty."""

    code = "identity.incomplete"
    default_words = (
        "Your directory did not say who you are in the way that was agreed. Tell its administrator."
    )


class GroupsIncomplete(ProofRefused):
    """The group list is missing or cut; never read as "no groups", a deny by group would stop matching."""

    code = "identity.groups_incomplete"
    default_words = (
        "Your directory did not send your complete list of groups, so what you may do cannot be decided. "
        "Tell its administrator."
    )


# --- 403 ------------------------------------------------------------------------------------------


class AccessRefused(Refusal):
    code = "access.refused"
    status = 403
    title = "Not allowed"
    default_words = "You may not do this."


class RoleForbidden(AccessRefused):
    code = "role.forbidden"
    default_words = (
        "You may not use this role. Ask the people who run this service, and give them the request id."
    )


class MfaRequired(RoleForbidden):
    """A second factor of the person's would open it. `members` has `step_up`: its address and the kinds that do."""

    code = "mfa_required"
    title = "One more proof is needed"
    default_words = "This needs a second factor that you have proven just now. Prove it and go on."


class MfaMissing(AccessRefused):
    """A sign-in or change that needs a second factor, of somebody who has none and may not enrol one here."""

    code = "mfa.missing"
    title = "A second factor is needed"
    default_words = (
        "This needs a second factor and you have none here yet. Sign in again; you will be asked to add one."
    )


class ProofNotRecent(AccessRefused):
    """Changing one's own factors or password needs a proof of the last minutes: a stolen cookie must not do."""

    code = "mfa.proof_not_recent"
    title = "Prove that it is you"
    default_words = "To change this, prove first that it is you: give your second factor or sign in again."


class SignInNotAllowed(AccessRefused):
    """A policy denies this person the sign-in itself (`daypass:SignIn`)."""

    code = "signin.not_allowed"
    title = "Not allowed to sign in"
    default_words = (
        "You may not sign in in this way. Ask the people who run this service, and give them the request id."
    )


class SecondPersonNeeded(AccessRefused):
    """Who asked for it cannot approve it, and nobody signs off their own use."""

    code = "admin.second_person"
    title = "Somebody else must do this"
    default_words = "Whoever asked for this cannot approve it. Another administrator must."


class RootOnlyEmergency(AccessRefused):
    """Root does no daily work, or is not set up."""

    code = "root.not_possible"
    default_words = "The root user cannot be used for this."


class CrossSite(AccessRefused):
    """A form or call that did not come from our own pages."""

    code = "request.cross_site"
    title = "Not from this site"
    default_words = (
        "This request did not come from this site's own pages. Go back, reload the page and try again."
    )


class DestinationForbidden(AccessRefused):
    code = "console.destination"
    default_words = "The console can be opened only at an AWS console address."


# --- 404 ------------------------------------------------------------------------------------------


class Unknown(Refusal):
    code = "unknown"
    status = 404
    title = "Not found"
    default_words = "There is nothing at this address."


class SourceUnknown(Unknown):
    code = "signin.source_unknown"
    default_words = "There is no such way to sign in here. Choose one on the sign-in page."


class RoleUnknown(Unknown):
    """No such role, or one that nothing the person could do would open: the two look alike."""

    code = "role.unknown"
    default_words = "There is no such role for you."


class PersonUnknown(Unknown):
    code = "person.unknown"
    default_words = "Nobody of that name has signed in here."


class UserUnknown(Unknown):
    code = "user.unknown"
    default_words = "There is no such local user."


class FactorUnknown(Unknown):
    code = "factor.unknown"
    default_words = "There is no such factor of yours; it may have been removed already."


class RevisionUnknown(Unknown):
    code = "revision.unknown"
    default_words = "There is no such revision."


# --- 422 and kin ----------------------------------------------------------------------------------


class AskRefused(Refusal):
    code = "request.invalid"
    status = 422
    title = "Not understood"
    default_words = "The request is not valid."


class DurationInvalid(AskRefused):
    code = "duration.invalid"
    default_words = "The duration must be a whole number of seconds from 900 to 3600."


class Malformed(AskRefused):
    code = "request.malformed"
    status = 400
    default_words = "The request could not be read."


class MethodNotAllowed(AskRefused):
    code = "request.method"
    status = 405
    default_words = "This address does not take that method."


class TooLarge(AskRefused):
    code = "request.too_large"
    status = 413
    default_words = "The request is too large."


class RevisionChanged(AskRefused):
    """Another revision was activated since the one that a change was planned on."""

    code = "revision.changed"
    status = 409
    title = "Changed meanwhile"
    default_words = (
        "Another revision was activated in the meantime. Nothing was changed. Look at the plan again."
    )


class UserInvalid(AskRefused):
    """What a local user is to be does not make sense; the words say which part and what to write instead."""

    code = "user.invalid"
    default_words = "The user cannot be like that."


class UserTaken(AskRefused):
    code = "user.taken"
    status = 409
    title = "Taken"
    default_words = "There is a user of that name already."


class UserChanged(AskRefused):
    """Somebody else changed the user since the version that this change was made on."""

    code = "user.changed"
    status = 409
    title = "Changed meanwhile"
    default_words = "Somebody else changed this user in the meantime. Nothing was changed. Look again."


class PasswordRefused(AskRefused):
    """A password that is too short, too long, or known from breaches; the words say which."""

    code = "password.refused"
    title = "Not this password"
    default_words = "This password cannot be used. Choose a longer one that you use nowhere else."


class FactorsFull(AskRefused):
    code = "factor.full"
    status = 409
    title = "Eight at most"
    default_words = "You have eight factors, the most that are possible. Remove one first."


class RevisionUnusable(AskRefused):
    """A revision's files make no configuration here any more, as when a secret that they name is gone."""

    code = "revision.unusable"
    status = 409
    title = "Cannot be used"
    default_words = "That revision cannot be used as it is. Nothing was changed. The log says why."


class ConfigurationWrong(AskRefused):
    """The configuration folder cannot be used; every problem at once."""

    code = "configuration.wrong"
    title = "Not right yet"
    default_words = "The configuration folder is not right, so nothing was changed. Mend what is listed."

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class MediaType(AskRefused):
    code = "request.media_type"
    status = 415
    default_words = "The request must be JSON (`Content-Type: application/json`)."


class RequestNotPossible(AskRefused):
    """What was asked cannot be put into a request that STS takes (session policy too long, tag outside its alphabet)."""

    code = "request.not_possible"
    default_words = "What was asked for cannot be given in this form. Ask the people who run this service."


# --- OAuth ----------------------------------------------------------------------------------------


class GrantError(AskRefused):
    """A refusal of the authorization server. `error` is its word on the wire (RFC 6749, 4.1.2.1 and 5.2)."""

    error: ClassVar[str] = "invalid_request"
    code = "oauth.invalid_request"
    status = 400
    title = "Not granted"
    default_words = "The request is not one that this server takes."


class ClientRefused(GrantError):
    """No such client, or it did not prove itself; which of the two is not told."""

    error = "invalid_client"
    code = "oauth.invalid_client"
    status = 401
    default_words = "No such client, or its secret is wrong."


class GrantInvalid(GrantError):
    """A code or refresh token that is unknown, used, expired, or somebody else's; which is not told."""

    error = "invalid_grant"
    code = "oauth.invalid_grant"
    default_words = "The code or token is not good, or not good any more. Sign in again."


class ClientNotAllowed(GrantError):
    """A client that may not use this kind of grant."""

    error = "unauthorized_client"
    code = "oauth.unauthorized_client"
    default_words = "This client may not ask in this way."


class GrantTypeUnknown(GrantError):
    error = "unsupported_grant_type"
    code = "oauth.unsupported_grant_type"
    default_words = "There is no such grant type here."


class ResponseTypeUnknown(GrantError):
    error = "unsupported_response_type"
    code = "oauth.unsupported_response_type"
    default_words = "Only `response_type=code` is taken."


class ScopeInvalid(GrantError):
    error = "invalid_scope"
    code = "oauth.invalid_scope"
    default_words = "The scope is unknown, or wider than this client or token may have."


class TargetInvalid(GrantError):
    """RFC 8707, 2."""

    error = "invalid_target"
    code = "oauth.invalid_target"
    default_words = "No access tokens are made for that resource."


class GrantDenied(GrantError):
    """The person said no."""

    error = "access_denied"
    code = "oauth.access_denied"
    default_words = "The sign-in was refused by the person who was asked."


class ClickNeeded(GrantError):
    """`prompt=none`: an answer without asking the person (OpenID Connect Core, 3.1.2.6; RFC 9700, 4.1.2)."""

    error = "interaction_required"
    code = "oauth.interaction_required"
    default_words = "Nothing is given here without asking the person. Ask without `prompt=none`."


class ExchangeNotAllowed(GrantError):
    """This client may not bring tokens of that source, or of that kind."""

    error = "invalid_request"
    code = "oauth.subject_not_accepted"
    default_words = "This app may not bring a token of that kind or source; see `accepts` in its client file."


class OriginRefused(AccessRefused):
    """A web page of an origin that the client does not declare."""

    code = "oauth.origin"
    title = "Not from this app's pages"
    default_words = "This app does not declare the page's origin; see `origins` in its client file."


class NoRoleForApp(AccessRefused):
    """None of the client's roles is allowed to this person; the words say why, role by role."""

    code = "oauth.no_role"
    default_words = "None of this app's roles is allowed to this person."


class LoginTaken(AskRefused):
    """The login has an identity of its own in this pool; identities are never merged."""

    code = "identity.login_taken"
    status = 409
    title = "Has an identity already"
    default_words = (
        "This login belongs to another identity already, and identities are never merged. Nothing was changed. "
        "Unlink it there first."
    )


class LoginNeeded(AskRefused):
    """The last login of an identity, or one that it does not have."""

    code = "identity.login_needed"
    status = 409
    title = "Cannot be taken away"
    default_words = "An identity keeps its last login, and loses only one that it has. Nothing was changed."


class RedirectRefused(GrantError):
    """The client or its redirect address is not known, so nothing may be sent there: a page for the person."""

    code = "oauth.redirect"
    title = "Not a known app"
    default_words = (
        "The app that sent you here is not known, or wants the answer at an address that is not its own. "
        "Nothing was given to it. Start again from the app."
    )


class GrantPending(GrantError):
    """RFC 8628, 3.5."""

    error = "authorization_pending"
    code = "oauth.authorization_pending"
    default_words = "The person has not decided yet."


class PollTooFast(GrantError):
    error = "slow_down"
    code = "oauth.slow_down"
    default_words = "Asked too often; wait five seconds longer between two asks."


class DeviceCodeExpired(GrantError):
    error = "expired_token"
    code = "oauth.expired_token"
    default_words = "The device code has expired. Start again."


class UserCodeUnknown(Unknown):
    """No device waits under this code (any more)."""

    code = "device.unknown"
    default_words = (
        "No device is waiting under this code. It may have expired: codes are good for ten minutes. "
        "Compare it with the one that the device shows, or start again there."
    )


class SignInNotFresh(AccessRefused):
    """A device may be let in only by somebody who signed in after it asked (RFC 8628, 5.4)."""

    code = "device.sign_in_again"
    title = "Sign in again first"
    default_words = "To let a device in, sign in once more. Then compare the code and decide."


class ScopeTooNarrow(AccessRefused):
    """RFC 6750, 3.1: `insufficient_scope`."""

    code = "token.scope"
    default_words = "The token may not do this: it was asked for with a narrower scope. Sign in again."


class SessionUnknown(Unknown):
    code = "session.unknown"
    default_words = "There is no such session of yours; it may have ended already."


# --- 429 ------------------------------------------------------------------------------------------


class TooMany(Refusal):
    code = "rate.limited"
    status = 429
    title = "Too many requests"
    default_words = "There were too many requests from your address. Wait a minute and try again."


class TooManyGuesses(TooMany):
    """Too many wrong answers for this account, device or address, over all workers; nothing was looked at."""

    code = "guesses.limited"
    title = "Too many wrong answers"
    default_words = (
        "There were too many wrong answers. Wait a quarter of an hour, use a browser in which you signed in before, "
        "or sign in with a passkey."
    )


class Busy(TooMany):
    """More passwords are being checked at once than this worker does."""

    code = "signin.busy"
    title = "Busy"
    default_words = "Too many sign-ins are being checked at the moment. Try again in a few seconds."


# --- 502 ------------------------------------------------------------------------------------------


class UpstreamFailed(Refusal):
    code = "upstream.failed"
    status = 502
    title = "The other side failed"
    default_words = "A service that this needs did not answer as it should. Try again in a minute."


class ProviderFailed(UpstreamFailed):
    """An identity provider is down, slow, or answers with what it must not."""

    code = "provider.failed"
    default_words = (
        "Your directory does not answer as it should. Try again in a minute, or choose another way."
    )


class ForbiddenAddress(ProviderFailed):
    """A fetch was to go to a link-local, metadata or otherwise closed address."""

    code = "provider.address"


class StsFailed(UpstreamFailed):
    """STS is down, slow, or answers with what it must not."""

    code = "sts.failed"
    default_words = "AWS did not give credentials. Nothing was issued. Try again in a minute."


class StsRefused(UpstreamFailed):
    """STS understood and said no: trust policy, external ID, duration, limits."""

    code = "sts.refused"
    default_words = (
        "AWS refused this role: its set-up does not fit this service. Nothing was issued. "
        "Tell the people who run it, and give them the request id."
    )


class ConsoleFailed(UpstreamFailed):
    code = "console.failed"
    default_words = "AWS did not give a console link. Try again in a minute, or use keys."


# --- 503 ------------------------------------------------------------------------------------------


class Unavailable(Refusal):
    code = "unavailable"
    status = 503
    title = "Not now"
    default_words = "This cannot be decided safely at the moment. Try again in a minute."


class StoreUnavailable(Unavailable):
    code = "store.unavailable"


class KeysUnusable(Unavailable):
    """The broker's own key file is damaged, open to others, or cannot be made; `detail` names its path."""

    code = "keys.unusable"


class AuditUnavailable(Unavailable):
    """The record could not be made durable, so nothing is given out."""

    code = "audit.unavailable"
    default_words = (
        "What you asked for could not be recorded, so nothing was given out. Try again in a minute."
    )


class Internal(Unavailable):
    """A defect of ours: met nowhere on purpose, and a 500 is never shown."""

    code = "internal"
    default_words = (
        "Something went wrong here. Nothing was given out. Give the request id to the people who run it."
    )
