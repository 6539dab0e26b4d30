"""The shapes of /v1: each noun's JSON, beside its schema (JSON Schema 2020-12, as OpenAPI 3.1 takes it)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from app.model import SHORTEST, ConsoleLink, Credentials, Effect, Entitlement, Explanation, Session
from app.web import asks, listing, process, times

Json = dict[str, Any]


def me(session: Session) -> Json:
    """Who is asking."""
    who = session.identity
    how = who.authentication
    return {
        "source": who.source,
        "subject": who.subject,
        "username": who.username,
        "name": who.name,
        "email": who.email,
        "groups": list(who.groups),
        "authentication": {
            "at": times.wire(how.at),
            "methods": list(how.methods),
            "mfa": how.mfa_at is not None,
            "mfa_at": None if how.mfa_at is None else times.wire(how.mfa_at),
        },
        "session": {"id": session.id, "expires_at": times.wire(session.expires_at)},
    }


def roles(part: listing.Piece) -> Json:
    """A piece of the list of roles."""
    return {"roles": [_role(item) for item in part.entitlements], "cursor": part.cursor}


def explanation(told: Explanation) -> Json:
    """A decision in words. File and line are null unless the broker gave them, as it does to operators."""
    near = told.nearest
    return {
        "role": told.role,
        "decision": told.decision.effect.value,
        "matched": [
            {"policy": each.policy, "sid": each.sid, "file": each.file, "line": each.line}
            for each in told.decision.matched
        ],
        "why": told.why,
        "nearest": None
        if near is None
        else {"policy": near.statement.policy, "sid": near.statement.sid, "failed": near.failed},
        "would_change": told.would_change,
        "revision": told.decision.revision,
    }


def credentials(given: Credentials) -> Json:
    """What `credential_process` takes."""
    return process.members(given)


def console_link(link: ConsoleLink) -> Json:
    """A link that signs in to the console."""
    return {"url": link.url, "expires_at": times.wire(link.expires_at)}


def _role(entitlement: Entitlement) -> Json:
    role = entitlement.role
    return {
        "arn": role.arn,
        "account": role.account,
        "account_name": role.account_name,
        "name": role.name,
        "description": role.description,
        "max_duration": int(role.max_duration.total_seconds()),
        "needs": None if entitlement.needs is None else dict(entitlement.needs),
    }


def _object(
    description: str, required: Mapping[str, Json], optional: Mapping[str, Json] | None = None
) -> Json:
    return {
        "type": "object",
        "description": description,
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


def _text(description: str, **more: object) -> Json:
    return {"type": "string", "description": description, **more}


def _maybe_text(description: str) -> Json:
    return {"type": ["string", "null"], "description": description}


def _instant(description: str) -> Json:
    pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"
    return {"type": "string", "format": "date-time", "pattern": pattern, "description": description}


ROLE_ARN: Final = _text("ARN of the role.", pattern=asks.ROLE, maxLength=700, format="role-arn")
_DURATION = {
    "type": "integer",
    "minimum": 900,
    "maximum": 3600,
    "default": 3600,
    "description": "Life of the credentials in seconds; at most the role's own maximum.",
}
_TEXTS = {"type": "array", "items": {"type": "string"}}
_KINDS = {
    **_TEXTS,
    "minItems": 1,
    "description": "Kinds of second factor that do, best first: `webauthn`, `totp`.",
}

SCHEMAS: Final[Mapping[str, Json]] = {
    "Me": _object(
        "Who is asking.",
        {
            "source": _text("Id of the source that proved it."),
            "subject": _text("Stable name of the person there; source and subject together are the person."),
            "username": _text("Name for display and for the role session."),
            "name": _maybe_text("Full name."),
            "email": _maybe_text("E-mail address, as the source says."),
            "groups": {**_TEXTS, "description": "Groups here."},
            "authentication": _object(
                "When and how it was proven.",
                {
                    "at": _instant("When."),
                    "methods": {**_TEXTS, "description": "Methods (RFC 8176)."},
                    "mfa": {"type": "boolean", "description": "A second factor was proven."},
                    "mfa_at": {
                        **_instant(
                            "When; changes as soon as one is proven anew, for a program to wait for. Null if none was."
                        ),
                        "type": ["string", "null"],
                    },
                },
            ),
            "session": _object(
                "The session at the broker.",
                {"id": _text("Its public name."), "expires_at": _instant("When it ends at the latest.")},
            ),
        },
    ),
    "Role": _object(
        "A role that may be assumed, at once or after a proof (`needs`).",
        {
            "arn": _text("ARN of the role."),
            "account": _text("Account id, 12 digits.", pattern="^[0-9]{12}$"),
            "account_name": _text("Name of the account."),
            "name": _text("Name of the role."),
            "description": _text("What it is for."),
            "max_duration": {
                "type": "integer",
                "minimum": int(SHORTEST.total_seconds()),
                "description": "Longest life of its credentials in seconds.",
            },
            "needs": {
                "description": "What must be proven first; null if nothing.",
                "anyOf": [
                    {"type": "null"},
                    _object(
                        "A proof, after which the role may be used.",
                        {"mfa": _object("A second factor, proven now.", {"kinds": _KINDS})},
                    ),
                ],
            },
        },
    ),
    "Roles": _object(
        "A piece of the list, by account name and role name.",
        {
            "roles": {"type": "array", "items": {"$ref": "#/components/schemas/Role"}},
            "cursor": _maybe_text("Ask with it for the next piece; null after the last."),
        },
    ),
    "Explanation": _object(
        "A decision about a role, in words.",
        {
            "role": _text("ARN of the role."),
            "decision": {"enum": [effect.value for effect in Effect], "description": "The answer."},
            "matched": {
                "type": "array",
                "description": "The statements that said so: the allows, or every deny.",
                "items": _object(
                    "A policy statement.",
                    {
                        "policy": _text("Name of the policy."),
                        "sid": _maybe_text("The statement's Sid."),
                        "file": _maybe_text("Its file, for operators."),
                        "line": {"type": ["integer", "null"], "description": "Its line, for operators."},
                    },
                ),
            },
            "why": _text("The reason in a sentence or two."),
            "nearest": {
                "description": "The allow that came nearest without matching; null if one matched.",
                "anyOf": [
                    {"type": "null"},
                    _object(
                        "An allow that did not match.",
                        {
                            "policy": _text("Name of the policy."),
                            "sid": _maybe_text("The statement's Sid."),
                            "failed": _text("What it failed on: what it needs, and what you have."),
                        },
                    ),
                ],
            },
            "would_change": _text("What to do about it; empty where the answer is yes."),
            "revision": {"type": "integer", "description": "Revision that the decision was made with."},
        },
    ),
    "CredentialsAsk": _object(
        "Which role, how long, why.",
        {"role": ROLE_ARN},
        {
            "duration": _DURATION,
            "reason": _text("Goes on record.", maxLength=asks.REASON_LONGEST, pattern=asks.LINE, default=""),
        },
    ),
    "Credentials": _object(
        "Temporary AWS credentials, as `credential_process` takes them.",
        {
            "Version": {"const": 1},
            "AccessKeyId": _text("Access key ID."),
            "SecretAccessKey": _text("Secret access key."),
            "SessionToken": _text("Session token."),
            "Expiration": _instant("When they end."),
            "AccountId": _text("Account of the role."),
        },
    ),
    "ConsoleLinkAsk": _object(
        "Which role, and where in the console.",
        {"role": ROLE_ARN},
        {
            "duration": _DURATION,
            "destination": _text(
                "Address in the AWS console; empty for its home page.",
                maxLength=asks.DESTINATION_LONGEST,
                pattern=asks.LINE,
                default="",
            ),
        },
    ),
    "ConsoleLink": _object(
        "A link that signs in to the AWS console; keep it as secret as credentials.",
        {"url": _text("The link."), "expires_at": _instant("Until when it can be opened.")},
    ),
    "Problem": _object(
        "A refusal (RFC 9457).",
        {
            "type": _text("`urn:daypass:error:CODE`."),
            "title": _text("In short."),
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": _text("What happened, then what to do."),
            "code": _text("Stable code."),
            "request_id": _text("To be quoted when asking for help."),
        },
        {
            "step_up": _object(
                "With `mfa_required`: what opens the role.",
                {
                    "url": _text("Where the person proves a second factor, in a browser; then ask again."),
                    "kinds": _KINDS,
                },
            )
        },
    ),
}
