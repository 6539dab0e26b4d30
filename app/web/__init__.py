"""web: requests in, answers out; the only room that knows Werkzeug and Jinja.

`table` is the list of every door with its guard; a test compares it with what is really served.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from app.clock import Clock
from app.model import Settings
from app.web import admin, api, helper, oauth, ops, portal, relying_party
from app.web.addresses import Addresses
from app.web.application import Application
from app.web.doors import AdministrationDoor, BrokerDoor
from app.web.gate import Gate
from app.web.route import ASSERTION_BODY, GET_ONLY, POST, READ, Cors, Csrf, Guard, Route
from app.web.static_files import serve
from app.web.templates import ASSETS

_APPS: Final = Cors.CLIENTS
"""The origins that OAuth clients declare: the pages of apps."""

# fmt: off
TABLE: Final[tuple[Route, ...]] = (
    #     address                    methods   guard           csrf          handler
    Route("/",                       READ,     Guard.PAGE,     Csrf.SAFE,    portal.roles),
    Route("/sign-in",                READ,     Guard.OPTIONAL, Csrf.SAFE,    portal.sign_in),
    Route("/sign-in/<source>",       GET_ONLY, Guard.NONE,     Csrf.PENDING, relying_party.start),
    Route("/sign-in/local",          READ,     Guard.OPTIONAL, Csrf.SAFE,    portal.sign_in_local),
    Route("/sign-in/local",          POST,     Guard.OPTIONAL, Csrf.BROWSER, portal.give_password),
    Route("/sign-in/passkey",        POST,     Guard.OPTIONAL, Csrf.BROWSER, portal.begin_passkey),
    Route("/challenge",              GET_ONLY, Guard.OPTIONAL, Csrf.BROWSER, portal.ask_challenge),
    Route("/challenge",              POST,     Guard.OPTIONAL, Csrf.BROWSER, portal.answer_challenge),
    Route("/challenge/enrol",        GET_ONLY, Guard.OPTIONAL, Csrf.BROWSER, portal.ask_first),
    Route("/challenge/enrol",        POST,     Guard.OPTIONAL, Csrf.BROWSER, portal.add_first),
    Route("/step-up",                GET_ONLY, Guard.PAGE,     Csrf.BROWSER, portal.step_up),
    Route("/step-up/done",           READ,     Guard.PAGE,     Csrf.SAFE,    portal.done),
    Route("/link",                   READ,     Guard.OPTIONAL, Csrf.SAFE,    portal.open_link),
    Route("/link",                   POST,     Guard.OPTIONAL, Csrf.BROWSER, portal.use_link),
    Route("/forgot",                 READ,     Guard.OPTIONAL, Csrf.SAFE,    portal.forgot),
    Route("/forgot",                 POST,     Guard.OPTIONAL, Csrf.BROWSER, portal.ask_link),
    Route("/root",                   READ,     Guard.OPTIONAL, Csrf.SAFE,    portal.ask_root),
    Route("/root",                   POST,     Guard.OPTIONAL, Csrf.BROWSER, portal.enter_root),
    Route("/sign-out",               POST,     Guard.OPTIONAL, Csrf.FORM,    portal.sign_out),
    Route("/signed-out",             READ,     Guard.NONE,     Csrf.SAFE,    portal.signed_out),
    Route("/keys",                   READ,     Guard.PAGE,     Csrf.SAFE,    portal.ask_keys),
    Route("/keys",                   POST,     Guard.PAGE,     Csrf.FORM,    portal.give_keys),
    Route("/console",                READ,     Guard.PAGE,     Csrf.SAFE,    portal.ask_console),
    Route("/console",                POST,     Guard.PAGE,     Csrf.FORM,    portal.console),
    Route("/why",                    READ,     Guard.PAGE,     Csrf.SAFE,    portal.why),

    Route("/device",                 READ,     Guard.PAGE,     Csrf.SAFE,    portal.ask_device),
    Route("/device",                 POST,     Guard.PAGE,     Csrf.FORM,    portal.decide_device),
    Route("/security",               READ,     Guard.PAGE,     Csrf.SAFE,    portal.security),
    Route("/security/end",           READ,     Guard.PAGE,     Csrf.SAFE,    portal.ask_end),
    Route("/security/end",           POST,     Guard.PAGE,     Csrf.FORM,    portal.end),
    Route("/security/enrol",         READ,     Guard.PAGE,     Csrf.SAFE,    portal.ask_own),
    Route("/security/enrol",         POST,     Guard.PAGE,     Csrf.FORM,    portal.add_own),
    Route("/security/factor",        READ,     Guard.PAGE,     Csrf.SAFE,    portal.ask_factor),
    Route("/security/factor",        POST,     Guard.PAGE,     Csrf.FORM,    portal.change_factor),
    Route("/security/recovery-codes",
                                     READ,     Guard.PAGE,     Csrf.SAFE,    portal.ask_codes),
    Route("/security/recovery-codes",
                                     POST,     Guard.PAGE,     Csrf.FORM,    portal.make_codes),
    Route("/security/password",      READ,     Guard.PAGE,     Csrf.SAFE,    portal.ask_password),
    Route("/security/password",      POST,     Guard.PAGE,     Csrf.FORM,    portal.change_password),
    Route("/security/prove",         GET_ONLY, Guard.PAGE,     Csrf.BROWSER, portal.prove),
    Route("/terminal",               READ,     Guard.PAGE,     Csrf.SAFE,    portal.terminal),

    Route("/admin",                  READ,     Guard.PAGE,     Csrf.SAFE,    admin.home),
    Route("/admin/revisions",        READ,     Guard.PAGE,     Csrf.SAFE,    admin.revisions),
    Route("/admin/difference",       READ,     Guard.PAGE,     Csrf.SAFE,    admin.difference),
    Route("/admin/roll-back",        READ,     Guard.PAGE,     Csrf.SAFE,    admin.ask_roll_back),
    Route("/admin/roll-back",        POST,     Guard.PAGE,     Csrf.FORM,    admin.roll_back),
    Route("/admin/plan",             READ,     Guard.PAGE,     Csrf.SAFE,    admin.plan),
    Route("/admin/plan",             POST,     Guard.PAGE,     Csrf.FORM,    admin.apply),
    Route("/admin/audit",            READ,     Guard.PAGE,     Csrf.SAFE,    admin.audit),
    Route("/admin/people",           READ,     Guard.PAGE,     Csrf.SAFE,    admin.people),
    Route("/admin/users",            READ,     Guard.PAGE,     Csrf.SAFE,    admin.users),
    Route("/admin/users/new",        READ,     Guard.PAGE,     Csrf.SAFE,    admin.ask_user),
    Route("/admin/users/new",        POST,     Guard.PAGE,     Csrf.FORM,    admin.create_user),
    Route("/admin/user",             READ,     Guard.PAGE,     Csrf.SAFE,    admin.user),
    Route("/admin/user",             POST,     Guard.PAGE,     Csrf.FORM,    admin.change_user),
    Route("/admin/groups",           READ,     Guard.PAGE,     Csrf.SAFE,    admin.groups),
    Route("/admin/recoveries",       READ,     Guard.PAGE,     Csrf.SAFE,    admin.recoveries),
    Route("/admin/recoveries",       POST,     Guard.PAGE,     Csrf.FORM,    admin.decide_recovery),
    Route("/admin/root",             READ,     Guard.PAGE,     Csrf.SAFE,    admin.root),
    Route("/admin/root",             POST,     Guard.PAGE,     Csrf.FORM,    admin.sign_off_root),
    Route("/admin/why",              READ,     Guard.PAGE,     Csrf.SAFE,    admin.why),
    Route("/admin/policies/new",     READ,     Guard.PAGE,     Csrf.SAFE,    admin.new_policy),

    Route("/saml/<source>/metadata", READ,     Guard.NONE,     Csrf.SAFE,    relying_party.metadata),
    Route("/saml/<source>/acs",      POST,     Guard.NONE,     Csrf.PENDING, relying_party.acs, body=ASSERTION_BODY),
    Route("/oidc/<source>/callback", GET_ONLY, Guard.NONE,     Csrf.PENDING, relying_party.callback),

    Route("/v1/me",                  READ,     Guard.API,      Csrf.ORIGIN,  api.me, scope="roles", cors=_APPS),
    Route("/v1/roles",               READ,     Guard.API,      Csrf.ORIGIN,  api.roles, scope="roles", cors=_APPS),
    Route("/v1/explain",             READ,     Guard.API,      Csrf.ORIGIN,  api.explain, scope="roles", cors=_APPS),
    Route("/v1/credentials",         POST,     Guard.API,      Csrf.ORIGIN,  api.credentials, scope="credentials",
          cors=_APPS),
    Route("/v1/console-link",        POST,     Guard.API,      Csrf.ORIGIN,  api.console_link, scope="credentials",
          cors=_APPS),
    Route("/v1/openapi.json",        READ,     Guard.NONE,     Csrf.SAFE,    api.openapi),

    Route("/oauth/authorize",        READ,     Guard.PAGE,     Csrf.SAFE,    oauth.ask_consent),
    Route("/oauth/authorize",        POST,     Guard.PAGE,     Csrf.FORM,    oauth.decide),
    Route("/oauth/token",            POST,     Guard.CLIENT,   Csrf.PROOF,   oauth.token, refused=oauth.refused,
          cors=_APPS, client=oauth.named, body=ASSERTION_BODY),
    Route("/oauth/device_authorization",
                                     POST,     Guard.CLIENT,   Csrf.PROOF,   oauth.begin_device, refused=oauth.refused),
    Route("/oauth/revoke",           POST,     Guard.CLIENT,   Csrf.PROOF,   oauth.revoke, refused=oauth.refused,
          cors=_APPS, client=oauth.named),
    Route("/oauth/introspect",       POST,     Guard.CLIENT,   Csrf.PROOF,   oauth.introspect, refused=oauth.refused),
    Route("/oauth/identity/link",    POST,     Guard.CLIENT,   Csrf.PROOF,   oauth.link, refused=oauth.refused,
          cors=_APPS, client=oauth.named, body=ASSERTION_BODY),
    Route("/oauth/identity/unlink",  POST,     Guard.CLIENT,   Csrf.PROOF,   oauth.unlink, refused=oauth.refused,
          cors=_APPS, client=oauth.named, body=ASSERTION_BODY),
    Route("/oauth/jwks",             READ,     Guard.NONE,     Csrf.SAFE,    oauth.jwks),
    Route("/.well-known/oauth-authorization-server",
                                     READ,     Guard.NONE,     Csrf.SAFE,    oauth.metadata),

    Route("/cli/daypass",            READ,     Guard.NONE,     Csrf.SAFE,    helper.program),
    Route("/cli/daypass.sha256",     READ,     Guard.NONE,     Csrf.SAFE,    helper.checksum),

    Route("/healthz",                READ,     Guard.NONE,     Csrf.SAFE,    ops.healthz),
    Route("/readyz",                 READ,     Guard.NONE,     Csrf.SAFE,    ops.readyz),
    Route("/static/<name>",          READ,     Guard.NONE,     Csrf.SAFE,    serve(ASSETS)),
)
# fmt: on


def make_app(
    broker: BrokerDoor, administration: AdministrationDoor, settings: Callable[[], Settings], clock: Clock
) -> Application:
    """The WSGI application over the two doors; `settings` are asked for at each request, as they may be reloaded."""
    helper.prepare(settings().base_url)
    return Application(Gate(broker, administration, settings, clock, Addresses(TABLE)))


__all__ = ["TABLE", "make_app"]
