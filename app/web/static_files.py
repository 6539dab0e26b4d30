"""Static files on the wire."""

from __future__ import annotations

from collections.abc import Callable

from app.errors import Unknown
from app.web.assets import Assets
from app.web.visit import Visit
from app.web.wire import Response

_FOR_GOOD = "public, max-age=31536000, immutable"


def serve(assets: Assets) -> Callable[..., Response]:
    """A handler for `GET /static/NAME`; a name changes with its content, so browsers may keep it for good."""

    def static_file(visit: Visit, name: str) -> Response:
        """One file. Raises Unknown."""
        asset = assets.find(name)
        if asset is None:
            raise Unknown(f"no static file {name[:80]!r}")
        response = Response(asset.body, content_type=asset.content_type)
        response.headers["Cache-Control"] = _FOR_GOOD
        response.set_etag(asset.digest)
        response.make_conditional(visit.request)
        return response

    return static_file
