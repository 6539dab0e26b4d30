"""The templates of the pages, and the files that pages load."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.web.assets import Assets

_PORTAL: Final = Path(__file__).parent / "portal"

ASSETS: Final = Assets(_PORTAL / "static")
TEMPLATES: Final = Environment(
    loader=FileSystemLoader(_PORTAL / "templates"),
    autoescape=True,
    undefined=StrictUndefined,  # a name that is not there is a defect, and no empty place on a page
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
TEMPLATES.globals["asset"] = ASSETS.url
