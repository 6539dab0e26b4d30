"""The WSGI application. `python -m app serve` serves it behind `app/listener.py`, which keeps slow bodies from holding
threads; another WSGI server needs a proxy in front that buffers requests and drops header names with underscores."""

from app import create_app

app = create_app()
