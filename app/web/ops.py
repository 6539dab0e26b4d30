"""Health and readiness, for load balancers and container platforms."""

from __future__ import annotations

import json
import logging

from app.errors import Refusal
from app.web.visit import Visit
from app.web.wire import Response

log = logging.getLogger("daypass.web")


def healthz(_visit: Visit) -> Response:
    """The process is alive; asks nothing of anybody."""
    return _json({"status": "ok"}, 200)


def readyz(visit: Visit) -> Response:
    """It can serve: database, keys, revision. Providers and AWS do not count."""
    try:
        checks = dict(visit.broker.ready())
    except Refusal as refusal:
        log.warning("not ready", extra={"code": refusal.code, "why": refusal.detail})
        checks = {}
    ready = bool(checks) and all(checks.values())
    return _json({"status": "ready" if ready else "not ready", "checks": checks}, 200 if ready else 503)


def _json(body: object, status: int) -> Response:
    return Response(json.dumps(body), status=status, content_type="application/json")
