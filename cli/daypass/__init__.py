"""daypass, the helper on people's machines: sign in once, and each AWS command gets a pass that expires.

Standard library only, Python 3.9 and later. `build.py` makes one file of this package; a warm call never reaches
it (`prelude.sh`, `first.py`). `main` is the table of contents."""

from __future__ import annotations

VERSION = "0.1.0"
CLIENT_ID = "cli"
"""What the helper calls itself at the broker (RFC 6749, 2.2); every broker knows it."""
