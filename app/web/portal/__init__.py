"""The pages: sign in, the next proof, my roles, keys, console, why, devices, security, the helper in a terminal.

Each handler is question → `Broker` → a page's data → template.

Everything works without JavaScript but security keys, which are spoken to by `static/portal-webauthn.js` alone;
`static/portal.js` only adds comfort.
"""

from app.web.portal.challenge import answer_challenge, ask_challenge
from app.web.portal.challenge_enrol import add_first, ask_first
from app.web.portal.console import ask_console, console
from app.web.portal.device import ask_device, decide_device
from app.web.portal.keys import ask_keys, give_keys
from app.web.portal.links import ask_link, forgot, open_link, use_link
from app.web.portal.local import begin_passkey, give_password, sign_in_local
from app.web.portal.own_factors import add_own, ask_codes, ask_factor, ask_own, change_factor, make_codes
from app.web.portal.own_password import ask_password, change_password
from app.web.portal.roles import roles
from app.web.portal.root import ask_root, enter_root
from app.web.portal.security import ask_end, end, security
from app.web.portal.session import sign_in, sign_out, signed_out
from app.web.portal.step_up import done, prove, step_up
from app.web.portal.terminal import terminal
from app.web.portal.why import why

__all__ = [
    "add_first",
    "add_own",
    "answer_challenge",
    "ask_challenge",
    "ask_codes",
    "ask_console",
    "ask_device",
    "ask_end",
    "ask_factor",
    "ask_first",
    "ask_keys",
    "ask_link",
    "ask_own",
    "ask_password",
    "ask_root",
    "begin_passkey",
    "change_factor",
    "change_password",
    "console",
    "decide_device",
    "done",
    "end",
    "enter_root",
    "forgot",
    "give_keys",
    "give_password",
    "make_codes",
    "open_link",
    "prove",
    "roles",
    "security",
    "sign_in",
    "sign_in_local",
    "sign_out",
    "signed_out",
    "step_up",
    "terminal",
    "use_link",
    "why",
]
