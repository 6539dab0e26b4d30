"""Channels against real parts on loopback: a web server, a mail server, a double of SNS's query API."""

from __future__ import annotations

import datetime
import email
import email.policy
import ipaddress
import json
import logging
import os
import ssl
import threading
import time
from urllib.parse import parse_qs

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.logs import JsonFormatter
from app.model import Endpoint, Mail, Settings
from app.notify.log import LogChannel
from app.notify.mail import MailChannel, Mailer
from app.notify.registry import channels
from app.notify.seam import DeliveryFailed
from app.notify.sns import SnsChannel
from app.notify.webhook import WebhookChannel
from app.outbound import Fetcher
from tests.notify import http_double, smtp_double
from tests.notify.http_double import Web
from tests.notify.smtp_double import MailServer
from tests.store.builders import ODD, alert

SHORT = 0.5
"""Seconds of deadline where the other side is slow."""
SOON = 20.0
"""Seconds within which that must be over, on a busy machine too; the other side goes on for longer."""


def failure(send) -> str:
    began = time.monotonic()
    with pytest.raises(DeliveryFailed) as failed:
        send()
    assert time.monotonic() - began < SOON
    assert failed.value.__cause__ is None, "no text of a library comes along"
    return str(failed.value)


# --- log ------------------------------------------------------------------------------------------


def test_the_log_has_all_of_an_alert_in_one_line(caplog):
    with caplog.at_level(logging.WARNING, "daypass.alerts"):
        LogChannel().send(alert(title="a\r\nb"))
    (record,) = caplog.records
    line = JsonFormatter().format(record)
    assert record.levelno == logging.WARNING and "\n" not in line
    written = json.loads(line)
    assert (written["alert"], written["kind"]) == ("a1", "root.used")
    assert json.loads(written["facts"]) == {"reason": "the directory is down"}


# --- webhook --------------------------------------------------------------------------------------


def webhook(url: str, **changes) -> WebhookChannel:
    return WebhookChannel("webhook 1", url, Fetcher(**{"allow_loopback": True, "timeout": SOON} | changes))


def test_a_webhook_is_posted_json_that_chats_and_programs_read():
    with http_double.serving(Web()) as web:
        webhook(f"{web.url}/hook/secret?a=1").send(alert())
    (posted,) = web.posted
    assert posted.path == "/hook/secret?a=1" and posted.headers["Content-Type"] == "application/json"
    assert json.loads(posted.body) == {
        "version": 1,
        "id": "a1",
        "kind": "root.used",
        "at": "2026-11-24T09:00:00.123456+00:00",
        "title": "Root was used",
        "text": "Root was used\nSomebody signed in as root.\n\nreason: the directory is down\n"
        "at: 2026-11-24T09:00:00+00:00\n",
        "facts": {"reason": "the directory is down"},
    }


def test_what_strangers_wrote_into_an_alert_is_json_that_every_reader_takes():
    with http_double.serving(Web()) as web:
        webhook(web.url).send(alert(title=ODD, text=ODD, facts={ODD: ODD}))
    posted = web.posted[0].body.decode("ascii")
    assert "\\ud800" not in posted and "\\u0000" not in posted and "\\u202e" not in posted
    assert json.loads(posted)["facts"] == {"'\";--": "'\";--"}


@pytest.mark.parametrize("status", [400, 404, 410, 429, 500, 503])
def test_a_webhook_that_does_not_take_it_has_failed(status):
    with http_double.serving(Web(status=status, body=b"secret words")) as web:
        assert failure(lambda: webhook(web.url).send(alert())) == f"it answered with the status {status}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_of_a_webhook_is_not_followed(status):
    with http_double.serving(Web()) as inner, http_double.serving(Web(status=status)) as web:
        web.headers = {"Location": f"{inner.url}/inside"}
        assert "redirect" in failure(lambda: webhook(web.url).send(alert()))
    assert not inner.posted


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "https://169.254.169.254/",
        "https://[fe80::1]/",
        "https://[fd00:ec2::254]/",
        "https://[::ffff:169.254.169.254]/",
        "https://100.100.100.200/",
        "https://0.0.0.0/",
        "ftp://192.0.2.1/",
        "file:///etc/passwd",
        "https://user:word@hooks.example/",
    ],
)
def test_no_webhook_reaches_what_is_closed(url):
    said = failure(lambda: webhook(url).send(alert()))
    assert "closed" in said or "only https" in said or "user name" in said or "loopback" in said


def test_a_name_that_leads_to_what_is_closed_is_not_reached():
    def resolve(host, port):
        return ["10.0.0.1", "169.254.169.254"]

    hook = webhook("https://hooks.example/services/T0/B0/secret", resolve=resolve)
    assert "169.254.169.254" in failure(lambda: hook.send(alert()))


def test_loopback_is_for_a_broker_on_loopback():
    with http_double.serving(Web()) as web:
        assert "closed" in failure(lambda: webhook(web.url, allow_loopback=False).send(alert()))
    assert not web.posted


def test_what_goes_wrong_never_shows_a_webhooks_address():
    secret = "/services/T000/B000/XXXXsecretXXXX"
    with http_double.serving(Web(status=302)) as web:
        for url in (
            f"{web.url}{secret}?key=secret",
            f"http://127.0.0.1:1{secret}",
            f"https://169.254.169.254{secret}",
            f"ftp://hooks.example{secret}",
        ):
            hook = webhook(url)
            assert "secret" not in failure(lambda hook=hook: hook.send(alert())) + repr(hook)


def test_a_webhook_that_is_slow_is_given_up():
    with http_double.serving(Web(slow=threading.Event())) as web:
        assert "did not answer" in failure(lambda: webhook(web.url, timeout=SHORT).send(alert()))
        web.slow.set()


# --- mail -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A self-signed certificate for 127.0.0.1, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail")])
    now = datetime.datetime.now(datetime.UTC)
    san = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(san, critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("mail") / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture(scope="module")
def server_tls(certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture(scope="module")
def client_tls(certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(certificate)
    return context


def mailer(server: MailServer, tls=None, host="127.0.0.1", timeout=SOON, **changes) -> Mailer:
    values = {"host": host, "port": server.port, "sender": "daypass@acme.test", "security": "none"}
    return Mailer(Mail(**values | changes), "https://daypass.acme.test", timeout=timeout, tls=tls)


def parsed(server: MailServer) -> email.message.EmailMessage:
    (received,) = server.received
    return email.message_from_bytes(received.data, policy=email.policy.default)


def test_a_mail_arrives_as_plain_text_from_and_to_whom_it_says():
    with smtp_double.serving(MailServer()) as server:
        mailer(server).send(alert(title="Rööt was used", text="One.\n.\nTwo"), "ana@acme.test")
    (received,) = server.received
    assert (received.sender, received.recipients) == ("daypass@acme.test", ["ana@acme.test"])
    mail = parsed(server)
    assert mail["Subject"] == "Rööt was used"
    assert (mail["From"], mail["To"]) == ("daypass@acme.test", "ana@acme.test")
    assert mail["Auto-Submitted"] == "auto-generated" and mail["Message-ID"] == "<a1@daypass.acme.test>"
    assert mail["Date"].datetime == alert().at.replace(microsecond=0)
    assert mail.get_content_type() == "text/plain"
    text = mail.get_content().replace("\r\n", "\n")
    assert text.startswith("One.\n.\nTwo\n\nreason: the directory is down\n")
    assert server.said[0] == "ehlo daypass.acme.test" and server.said[-1].upper() == "QUIT"


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_mail_goes_over_verified_tls_and_signed_in(security, server_tls, client_tls):
    account = ("daypass", "word")
    double = MailServer(account=account, **{security: server_tls})
    with smtp_double.serving(double) as server:
        sender = mailer(server, client_tls, security=security, username=account[0], password=account[1])
        sender.send(alert(), "ana@acme.test")
    (received,) = server.received
    assert received.secured and received.signed_in == "daypass"


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_that_is_not_trusted_gets_no_mail_and_no_password(security, server_tls, certificate):
    wrong_name = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    wrong_name.load_verify_locations(certificate)
    for tls, host in ((None, "127.0.0.1"), (wrong_name, "localhost")):
        double = MailServer(account=("daypass", "word"), **{security: server_tls})
        with smtp_double.serving(double) as server:
            sender = mailer(server, tls, host, security=security, username="daypass", password="word")
            assert "certificate is not trusted" in failure(lambda s=sender: s.send(alert(), "ana@acme.test"))
        assert not server.received and not any("AUTH" in said for said in server.said)


def test_a_server_without_starttls_is_told_nothing(client_tls):
    with smtp_double.serving(MailServer(account=("daypass", "word"))) as server:
        sender = mailer(server, client_tls, security="starttls", username="daypass", password="word")
        assert "does not offer" in failure(lambda: sender.send(alert(), "ana@acme.test"))
    assert not any(said.upper().startswith(("AUTH", "MAIL")) for said in server.said)


def test_what_was_said_before_tls_is_not_taken_for_said_within(server_tls, client_tls):
    """Plain text behind the go-ahead is dropped with the plain line, or breaks TLS; it answers nothing."""
    double = MailServer(starttls=server_tls, smuggles=b"250 smuggled\r\n")
    with smtp_double.serving(double) as server:
        sender = mailer(server, client_tls, security="starttls")
        try:
            sender.send(alert(), "ana@acme.test")
        except DeliveryFailed:
            assert not server.received
        else:
            assert server.received[0].secured


@pytest.mark.parametrize(
    "to",
    [
        "",
        "ana",
        "ana@acme.test, all@acme.test",
        "ana@acme.test;all@acme.test",
        "ana@acme.test\r\nBcc: all@acme.test",
        "ana@acme.test\nRCPT TO:<all@acme.test>",
        "Ana <ana@acme.test>",
        "ana@acme.test>\r\nRCPT TO:<all@acme.test",
        '"ana"@acme.test',
        "@acme.test",
        "ana@",
        "ana@acme@test",
        "ana@acme.test\x00",
        "a" * 65 + "@acme.test",
        ODD,
    ],
)
def test_a_recipient_that_is_not_one_address_gets_nothing(to):
    with smtp_double.serving(MailServer()) as server:
        assert "address" in failure(lambda: mailer(server).send(alert(), to))
    assert not server.said


@pytest.mark.parametrize(
    "title", ["a\r\nBcc: all@acme.test", "a\n\nbody", "a\rX: y", "\u2028b", ODD, "", "x" * 5000]
)
def test_a_title_makes_no_header_of_its_own(title):
    with smtp_double.serving(MailServer()) as server:
        mailer(server).send(alert(title=title, text=title, facts={title: title}), "ana@acme.test")
    mail = parsed(server)
    assert server.received[0].recipients == ["ana@acme.test"]
    expected = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"]
    assert mail.keys()[:6] == expected
    assert set(mail.keys()[6:]) <= {"Content-Type", "Content-Transfer-Encoding", "MIME-Version"}


@pytest.mark.parametrize(
    ("verb", "code"),
    [("MAIL", 451), ("RCPT", 550), ("DATA", 452), ("AUTH", 535)],
    ids=lambda value: str(value),
)
def test_what_a_server_refuses_has_failed_and_only_its_number_is_told(verb, code, client_tls):
    double = MailServer(account=("daypass", "word"), refuses={verb: code})
    with smtp_double.serving(double) as server:
        sender = mailer(server, username="daypass", password="word")
        said = failure(lambda: sender.send(alert(), "ana@acme.test"))
    assert str(code) in said and "word" not in said and not server.received


def test_a_wrong_password_is_not_told():
    with smtp_double.serving(MailServer(account=("daypass", "word"))) as server:
        said = failure(
            lambda: mailer(server, username="daypass", password="other").send(alert(), "ana@acme.test")
        )
    assert "535" in said and "other" not in said


@pytest.mark.parametrize("at", ["greeting", "MAIL", "RCPT", "DATA"])
def test_a_server_that_trickles_is_cut_off_when_the_time_is_up(at):
    with smtp_double.serving(MailServer(drips_at=at)) as server:
        assert failure(lambda: mailer(server, timeout=SHORT).send(alert(), "ana@acme.test"))


def test_a_mail_that_was_taken_is_delivered_whatever_becomes_of_the_goodbye():
    with smtp_double.serving(MailServer(drips_at="quit")) as server:
        began = time.monotonic()
        mailer(server, timeout=2.0).send(alert(), "ana@acme.test")
        assert time.monotonic() - began < SOON
    assert len(server.received) == 1


def test_a_server_that_is_not_there_has_failed():
    assert "refused" in failure(lambda: mailer(MailServer(port=1)).send(alert(), "ana@acme.test")).lower()


def test_no_mail_without_a_server():
    assert "mail" in failure(lambda: MailChannel("email 1", "ops@acme.test", None).send(alert()))


# --- sns ------------------------------------------------------------------------------------------

TOPIC = "arn:aws:sns:eu-central-1:111122223333:alarms"


@pytest.fixture
def keys(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith("AWS_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "aws-credentials"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a secret key")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "a session token")
    return monkeypatch


def published() -> Web:
    space = "http://sns.amazonaws.com/doc/2010-03-31/"
    body = f'<PublishResponse xmlns="{space}"><PublishResult><MessageId>m</MessageId></PublishResult></PublishResponse>'
    return Web(body=body.encode(), headers={"Content-Type": "text/xml"})


def test_a_topic_is_published_to_signed_for_its_region(keys):
    with http_double.serving(published()) as web:
        SnsChannel("sns 1", TOPIC, endpoint=web.url).send(alert(title="a\r\nb " + "x" * 200))
    (posted,) = web.posted
    form = parse_qs(posted.body.decode())
    assert (form["Action"], form["TopicArn"]) == (["Publish"], [TOPIC])
    assert form["Subject"][0].startswith("a b x") and len(form["Subject"][0]) < 100
    assert form["Message"][0].startswith("Somebody signed in as root.")
    signed = posted.headers["Authorization"]
    assert signed.startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert "/eu-central-1/sns/aws4_request" in signed and "Signature=" in signed
    assert posted.headers["X-Amz-Security-Token"] == "a session token"


def test_an_alert_without_a_title_has_a_subject_all_the_same(keys):
    with http_double.serving(published()) as web:
        SnsChannel("sns 1", TOPIC, endpoint=web.url).send(alert(title=""))
    assert parse_qs(web.posted[0].body.decode())["Subject"] == ["daypass"]


def test_what_sns_refuses_has_failed_by_its_code(keys):
    error = b"<Error><Code>AuthorizationError</Code><Message>secret words</Message></Error>"
    error = b"<ErrorResponse>" + error + b"</ErrorResponse>"
    with http_double.serving(Web(status=403, body=error, headers={"Content-Type": "text/xml"})) as web:
        channel = SnsChannel("sns 1", TOPIC, endpoint=web.url)
        assert failure(lambda: channel.send(alert())) == "SNS refused: AuthorizationError"


def test_sns_that_stumbles_is_asked_once_since_the_outbox_tries_again(keys):
    with http_double.serving(Web(status=503)) as web:
        assert "SNS refused" in failure(lambda: SnsChannel("sns 1", TOPIC, endpoint=web.url).send(alert()))
    assert len(web.posted) == 1


def test_sns_that_is_slow_down_or_without_credentials_has_failed(keys):
    with http_double.serving(Web(slow=threading.Event())) as web:
        channel = SnsChannel("sns 1", TOPIC, endpoint=web.url, timeout=SHORT)
        assert failure(lambda: channel.send(alert()))
        web.slow.set()
    channel = SnsChannel("sns 1", TOPIC, endpoint="http://127.0.0.1:1")
    assert "SNS failed" in failure(lambda: channel.send(alert()))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        keys.delenv(name)
    assert "NoCredentials" in failure(lambda: channel.send(alert()))


def test_the_sdks_debug_records_stay_away_from_the_log(keys, caplog):
    with caplog.at_level(logging.DEBUG), http_double.serving(published()) as web:
        SnsChannel("sns 1", TOPIC, endpoint=web.url).send(alert())
    assert "a session token" not in caplog.text and "a secret key" not in caplog.text


# --- the table ------------------------------------------------------------------------------------


def settings(*alerts, mail=None) -> Settings:
    endpoint = Endpoint("aws", ("eu-central-1",))
    return Settings("Acme", "http://localhost:8000", "", "", endpoint, alerts=alerts, mail=mail)


def test_channels_are_named_by_kind_and_place():
    rows = (
        {"webhook": "https://hooks.example/1"},
        {"log": ""},
        {"email": "ops@acme.test"},
        {"sns": TOPIC},
        {"log": ""},
    )
    made = channels(settings(*rows))
    assert list(made) == ["webhook 1", "log", "email 3", "sns 4"]
    assert [channel.name for channel in made.values()] == list(made)


def test_alerts_are_logged_where_no_channel_is_configured():
    assert list(channels(settings())) == ["log"]


def test_people_are_written_to_where_mail_is_configured():
    with smtp_double.serving(MailServer()) as server:
        mail = Mail("127.0.0.1", server.port, "daypass@acme.test", "none")
        made = channels(settings({"email": "ops@acme.test"}, mail=mail))
        assert list(made) == ["email 1", "person"]
        made["person"].send(alert(to="ana@acme.test"))
        made["email 1"].send(alert())
    assert [mail.recipients for mail in server.received] == [["ana@acme.test"], ["ops@acme.test"]]
