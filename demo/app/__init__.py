"""A web app whose people sign in at a social provider and get keys for their own folder in S3.

The page is `static/`: HTML, CSS and script without a framework, a bundler or a secret. It signs in with a
plain OAuth 2.0 provider (PKCE), exchanges what it got at the broker (RFC 8693) and signs its own requests
to S3. This package only serves it, on 127.0.0.1.

    python -m demo.app --port 8004 --social http://127.0.0.1:8003
"""

from demo.app.site import Settings, Site, serve

__all__ = ["Settings", "Site", "serve"]
