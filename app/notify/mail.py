"""Mail: plain text by SMTP (RFC 5321), to operators and to people.

TLS is verified against the system's certificates and never given up: a server that does not offer STARTTLS where it
was configured is not spoken to any further.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.headerregistry import Address
from email.message import EmailMessage
from typing import Final
from urllib.parse import urlsplit

from app.model import Mail
from app.notify import words
from app.notify.seam import DeliveryFailed
from app.outbound import verified_tls
from app.people import Alert

TIMEOUT: Final = 10.0
"""Seconds for one delivery."""
_AGAIN: Final = 0.05
"""Seconds until a line that was ended is ended again: in between, TLS may have begun on it."""
_ADDRESS: Final = re.compile(
    r"[^\s@<>()\[\],;:\\\"\x00-\x1f\x7f]{1,64}@[^\s@<>()\[\],;:\\\"\x00-\x1f\x7f]{1,190}"
)


class Mailer:
    """Sends one mail a conversation. Safe to use from many threads."""

    def __init__(
        self, mail: Mail, base_url: str, *, timeout: float = TIMEOUT, tls: ssl.SSLContext | None = None
    ) -> None:
        """`base_url`: the broker's; its host is what we call ourselves. `tls` is for tests' own certificates."""
        self._mail = mail
        self._own = urlsplit(base_url).hostname or "localhost"
        self._timeout = timeout
        self._tls = tls if tls is not None else verified_tls()

    def send(self, alert: Alert, to: str) -> None:
        """Mail an alert to one address. Raises DeliveryFailed."""
        if not _ADDRESS.fullmatch(to):
            raise DeliveryFailed("the recipient is not one e-mail address")
        message = self._message(alert, to)
        try:
            with _line(self._mail, self._timeout) as line:
                self._talk(line, message, to)
        except smtplib.SMTPResponseException as error:
            # Not the server's words: they may quote what we sent.
            raise DeliveryFailed(f"{self._server} refused with {error.smtp_code}") from None
        except smtplib.SMTPRecipientsRefused as error:
            codes = ", ".join(str(code) for code, _ in error.recipients.values())
            raise DeliveryFailed(f"{self._server} refused the recipient with {codes}") from None
        except smtplib.SMTPNotSupportedError:
            raise DeliveryFailed(
                f"{self._server} does not offer what is needed (STARTTLS, signing in, or this address)"
            ) from None
        except ssl.SSLCertVerificationError as error:
            raise DeliveryFailed(
                f"{self._server}: its certificate is not trusted ({error.verify_message})"
            ) from None
        except (smtplib.SMTPException, OSError, ValueError) as error:
            kind = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
            raise DeliveryFailed(f"{self._server} failed: {kind}") from None

    @property
    def _server(self) -> str:
        return f"{self._mail.host}:{self._mail.port}"

    def _message(self, alert: Alert, to: str) -> EmailMessage:
        message = EmailMessage()
        try:
            # Address refuses what is none, and the message every line break in a header.
            message["From"] = Address(addr_spec=self._mail.sender)
            message["To"] = Address(addr_spec=to)
        except ValueError:
            raise DeliveryFailed("sender or recipient is not an e-mail address") from None
        message["Subject"] = words.title(alert)
        message["Date"] = alert.at
        # The same at every try, so that a mail that came twice shows as one.
        message["Message-ID"] = f"<{re.sub('[^A-Za-z0-9]', '', alert.id)}@{self._own}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday note answers
        message.set_content(words.body(alert))
        return message

    def _talk(self, line: _Line, message: EmailMessage, to: str) -> None:
        security = self._mail.security
        if security == "tls":
            line.socket = self._tls.wrap_socket(line.socket, server_hostname=self._mail.host)
        smtp = _Conversation(self._mail, self._own, line, self._timeout)
        try:
            if security == "starttls":
                smtp.starttls(context=self._tls)
            if self._mail.username:
                smtp.login(self._mail.username, self._mail.password)
            smtp.send_message(message, from_addr=self._mail.sender, to_addrs=[to])
            # It has been taken: whatever becomes of the goodbye, it is not sent again.
            with suppress(smtplib.SMTPException, OSError):
                smtp.quit()
        finally:
            smtp.close()


class MailChannel:
    """The channel `email`: one of the operators' addresses."""

    def __init__(self, name: str, to: str, mailer: Mailer | None) -> None:
        self.name = name
        self._to = to
        self._mailer = mailer

    def send(self, alert: Alert) -> None:
        """Raises DeliveryFailed, also where no mail server is configured."""
        if self._mailer is None:
            raise DeliveryFailed("no mail server is configured (`mail` in daypass.yaml)")
        self._mailer.send(alert, self._to)


class PersonChannel:
    """Notices to people, each to the address in the alert itself."""

    def __init__(self, name: str, mailer: Mailer) -> None:
        self.name = name
        self._mailer = mailer

    def send(self, alert: Alert) -> None:
        """Raises DeliveryFailed."""
        self._mailer.send(alert, alert.to)


class _Line:
    """A connection that ends when the time is up: each wait of smtplib has a time-out, all together have none."""

    def __init__(self, connected: socket.socket, end: float) -> None:
        self.socket = connected
        self.smtp: smtplib.SMTP | None = None
        self._end = end
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="mail deadline", daemon=True)
        self._watcher.start()

    def close(self) -> None:
        """Give it up."""
        self._over.set()
        self._watcher.join()
        self.socket.close()

    def _watch(self) -> None:
        while not self._over.wait(max(_AGAIN, self._end - time.monotonic())):
            # STARTTLS puts another socket in the place of the first.
            line = getattr(self.smtp, "sock", None) or self.socket
            with suppress(OSError):
                # Not SSLSocket's own shutdown: it takes the encryption off.
                socket.socket.shutdown(line, socket.SHUT_RDWR)


class _Conversation(smtplib.SMTP):
    """SMTP over a line that is there already, so that it can be cut off from its first word on."""

    def __init__(self, mail: Mail, own: str, line: _Line, timeout: float) -> None:
        self._line = line
        line.smtp = self
        super().__init__(mail.host, mail.port, local_hostname=own, timeout=timeout)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        return self._line.socket


@contextmanager
def _line(mail: Mail, timeout: float) -> Iterator[_Line]:
    end = time.monotonic() + timeout
    line = _Line(socket.create_connection((mail.host, mail.port), timeout=timeout), end)
    try:
        yield line
    finally:
        line.close()
