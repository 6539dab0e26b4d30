"""What a WSGI server imports: `granian --interface wsgi wsgi:app`, or any other."""

from app import create_app

app = create_app()
