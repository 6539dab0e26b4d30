"""The JSON API /v1. Each handler is question → `Broker` → shape; the shapes are one table, `shapes.py`."""

from app.web.api.handlers import console_link, credentials, explain, me, roles
from app.web.api.openapi import openapi

__all__ = ["console_link", "credentials", "explain", "me", "openapi", "roles"]
