"""The operators' pages. Each handler is question → `Administration` as this person may use it → data → template.

Who may see which is decided and put on record behind that door; a page that is not allowed is not there.
"""

from app.web.admin.audit import audit
from app.web.admin.home import home
from app.web.admin.people import people
from app.web.admin.plan import apply, plan
from app.web.admin.policies import new_policy
from app.web.admin.revisions import difference, revisions
from app.web.admin.roll_back import ask_roll_back, roll_back
from app.web.admin.why import why

__all__ = [
    "apply",
    "ask_roll_back",
    "audit",
    "difference",
    "home",
    "new_policy",
    "people",
    "plan",
    "revisions",
    "roll_back",
    "why",
]
