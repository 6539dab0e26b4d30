"""The pages: sign in, my roles, keys, console, why, devices, sessions, the helper in a terminal.

Each handler is question → `Broker` → a page's data → template.

Everything works without JavaScript; `static/portal.js` only adds comfort.
"""

from app.web.portal.console import console
from app.web.portal.device import ask_device, decide_device
from app.web.portal.keys import ask_keys, give_keys
from app.web.portal.roles import roles
from app.web.portal.security import ask_end, end, security
from app.web.portal.session import sign_in, sign_out, signed_out
from app.web.portal.terminal import terminal
from app.web.portal.why import why

__all__ = [
    "ask_device",
    "ask_end",
    "ask_keys",
    "console",
    "decide_device",
    "end",
    "give_keys",
    "roles",
    "security",
    "sign_in",
    "sign_out",
    "signed_out",
    "terminal",
    "why",
]
