"""The pages: sign in, my roles, keys, console, why. Each handler is question → `Broker` → a page's data → template.

Everything works without JavaScript; `static/portal.js` only adds comfort.
"""

from app.web.portal.console import console
from app.web.portal.keys import ask_keys, give_keys
from app.web.portal.roles import roles
from app.web.portal.session import sign_in, sign_out, signed_out
from app.web.portal.why import why

__all__ = ["ask_keys", "console", "give_keys", "roles", "sign_in", "sign_out", "signed_out", "why"]
