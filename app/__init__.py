"""daypass: proof in, pass out, and a reason for every answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.web.application import Application


def create_app() -> Application:
    """The WSGI application, wired from `config/` and the environment."""
    from app.wiring import serve_app  # heavy imports stay out of `import app.anything`

    return serve_app()
