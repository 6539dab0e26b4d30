"""policy: attached IAM documents and a request context in, a `Decision` out. No I/O, no clock of its own.

    read (text → Document) → patterns, conditions → evaluate (documents at hand) and index (a revision)
    index: filing (statements by role), attachments (what a person carries), own (documents of single people),
           holdings (all roles at once), rights (daypass itself), root; step_up: what a second factor would open

`unverified` holds every point that AWS's documentation leaves open, `condition_keys` the table of keys,
`intersect` makes the one session policy that two documents amount to, `substitute` fills in our variables.
"""

from app.policy.assumed import Bounds, Doubt
from app.policy.available import supplied_keys
from app.policy.condition_keys import KEYS, ConditionKey
from app.policy.context import PersonContexts, context
from app.policy.document import Document, Kind, Statement
from app.policy.evaluate import evaluate, trusts
from app.policy.explain import explain
from app.policy.for_apps import why_given, why_not
from app.policy.index import Index
from app.policy.intersect import intersect
from app.policy.lint import lint
from app.policy.outlook import NOTHING, Outlook
from app.policy.problems import PolicyInvalid, PolicyProblem
from app.policy.read import parse, render
from app.policy.request import RequestContext
from app.policy.substitute import CLIENT, IDENTITY_ID, NAMES, SOURCE, missing, needed, resolve, unknown

__all__ = [
    "CLIENT",
    "IDENTITY_ID",
    "KEYS",
    "NAMES",
    "NOTHING",
    "SOURCE",
    "Bounds",
    "ConditionKey",
    "Document",
    "Doubt",
    "Index",
    "Kind",
    "Outlook",
    "PersonContexts",
    "PolicyInvalid",
    "PolicyProblem",
    "RequestContext",
    "Statement",
    "context",
    "evaluate",
    "explain",
    "intersect",
    "lint",
    "missing",
    "needed",
    "parse",
    "render",
    "resolve",
    "supplied_keys",
    "trusts",
    "unknown",
    "why_given",
    "why_not",
]
