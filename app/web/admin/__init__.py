"""The operators' pages. Each handler is question → `Administration` as this person may use it → data → template.

Who may see which is decided and put on record behind that door; a page that is not allowed is not there.
"""

from app.web.admin.audit import audit
from app.web.admin.groups import groups
from app.web.admin.home import home
from app.web.admin.people import people
from app.web.admin.plan import apply, plan
from app.web.admin.policies import new_policy
from app.web.admin.recoveries import decide_recovery, recoveries
from app.web.admin.revisions import difference, revisions
from app.web.admin.roll_back import ask_roll_back, roll_back
from app.web.admin.root import root, sign_off_root
from app.web.admin.user import change_user, user
from app.web.admin.users import ask_user, create_user, users
from app.web.admin.why import why

__all__ = [
    "apply",
    "ask_roll_back",
    "ask_user",
    "audit",
    "change_user",
    "create_user",
    "decide_recovery",
    "difference",
    "groups",
    "home",
    "new_policy",
    "people",
    "plan",
    "recoveries",
    "revisions",
    "roll_back",
    "root",
    "sign_off_root",
    "user",
    "users",
    "why",
]
