"""Each kind of sink against a real server: what arrives, and how each way of not taking it is told."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import ssl
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.errors import NotTaken
from reconciler.model.event import EventSeverity
from reconciler.model.message import Message
from reconciler.model.secret import Secret
from reconciler.notify import http, slack
from reconciler.notify.apprise_ import Apprise
from reconciler.notify.interface import SinkSpec
from reconciler.notify.registry import KINDS, faults, open_sink
from reconciler.notify.slack import LIMIT, Slack, escaped
from reconciler.notify.webhook import Webhook

AT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()


def message(**changes) -> Message:
    given_ = {
        "id": "evt_7_abc",
        "type": "found",
        "at": AT,
        "severity": EventSeverity.CRITICAL,
        "title": "CRITICAL: withdraw-enabled of connection recovery-pro",
        "text": "What: the key <may> withdraw & more\nTo do: switch it off",
        "data": {"seq": 7, "at": AT.isoformat(), "summary": "Ünïcode"},
    }
    return Message(**{**given_, **changes})


def spec(type_="webhook", url="https://hooks.example/T1", **more) -> SinkSpec:
    secret = more.pop("secret", SECRET if type_ == "webhook" else None)
    return SinkSpec(
        name="ops", type=type_, url=Secret(url), secret=Secret(secret) if secret else None, **more
    )


async def test_a_webhook_is_json_that_a_receiver_can_verify(receiver):
    await Webhook(Secret(receiver.url), Secret(SECRET), clock=lambda: 1_764_000_000.9).send(message())
    (one,) = receiver.taken
    assert one.json == {"type": "found", "timestamp": AT.isoformat(), "data": message().data}
    assert one.headers["content-type"] == "application/json"
    assert one.headers["user-agent"].startswith("reconciler/")
    assert (one.headers["webhook-id"], one.headers["webhook-timestamp"]) == ("evt_7_abc", "1764000000")
    signed = b"evt_7_abc.1764000000." + one.body
    right = base64.b64encode(hmac.new(b"k" * 32, signed, hashlib.sha256).digest()).decode()
    assert one.headers["webhook-signature"] == f"v1,{right}"


def test_the_signature_is_that_of_the_specification():
    """https://github.com/standard-webhooks/standard-webhooks: the vector of its reference libraries."""
    from reconciler.signing import signature  # noqa: PLC0415

    secret = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    made = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_slack_gets_plain_text_without_markup(receiver):
    await Slack(Secret(receiver.url)).send(message())
    (one,) = receiver.taken
    assert one.json["text"].splitlines() == [
        "CRITICAL: withdraw-enabled of connection recovery-pro",
        "What: the key &lt;may&gt; withdraw &amp; more",
        "To do: switch it off",
    ]
    assert (one.json["mrkdwn"], one.json["unfurl_links"]) == (False, False)


@given(st.text(st.sampled_from("<>&@ab](!\n"), max_size=80), st.integers(10, 60))
def test_nothing_that_is_said_becomes_markup_or_a_call_whatever_is_cut(text, limit):
    shown = escaped(text, limit)
    assert len(shown) <= limit
    assert not {"<", ">"} & set(shown)
    assert shown.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "").count("&") == 0
    assert "](" not in shown
    assert not re.search(r"(?<!\w)@\w", shown)
    if shown[-1:] != "…":
        back = shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").replace("\u200b", "")
        assert back == text


def test_a_long_text_is_cut_for_slack():
    assert len(json.loads(slack.body_of(message(text="<" * 5000)))["text"]) <= LIMIT


@pytest.mark.parametrize(
    ("status", "says", "refused"),
    [
        (500, "answered 500", False),
        (404, "nothing at that URL", False),
        (401, "its token is wrong", False),
        (429, "no more for now", False),
        (400, "answered 400", True),
        (413, "too large", True),
        (302, "a redirect, which is not followed", False),
        (308, "a redirect, which is not followed", False),
    ],
)
@pytest.mark.parametrize("make", [Slack, lambda url: Webhook(url, Secret(SECRET))])
async def test_a_status_that_is_no_success_is_told_in_our_words(receivers, make, status, says, refused):
    receiver, elsewhere = receivers(), receivers()
    receiver.status(status, f"Location: {elsewhere.url}", "X-Canary: canary")
    with pytest.raises(NotTaken, match=says) as caught:
        await make(Secret(receiver.url)).send(message())
    assert caught.value.refused is refused
    assert "CANARY" not in str(caught.value).upper()
    assert elsewhere.taken == []


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"", "closed the connection"),
        (b"canary canary canary\r\n\r\n", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"canary" * 100_000, "no HTTP|closed"),
    ],
)
async def test_what_is_no_answer_is_told_in_our_words(receiver, answer, says):
    receiver.answer = answer
    with pytest.raises(NotTaken, match=says) as caught:
        await Slack(Secret(receiver.url)).send(message())
    assert "canary" not in str(caught.value)


async def test_a_huge_answer_is_not_read(receiver):
    receiver.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" + b"x" * 1_000_000
    await Slack(Secret(receiver.url)).send(message())


async def test_who_never_answers_is_left_in_time(receiver):
    receiver.hang = True
    with pytest.raises(NotTaken, match=r"did not answer within 0\.2 s"):
        await http.post(Secret(receiver.url), b"{}", limit=0.2)


async def test_who_is_not_there_is_told(receiver):
    with pytest.raises(NotTaken, match="cannot be reached"):
        await http.post(Secret("http://127.0.0.1:1/x"), b"{}")


async def test_a_certificate_that_nobody_vouches_for_is_refused(tls_server):
    with pytest.raises(NotTaken, match="certificate is not valid") as caught:
        await http.post(Secret(f"https://127.0.0.1:{tls_server}/T000/canary"), b"{}")
    assert "canary" not in str(caught.value)


@pytest.fixture
def tls_server(certificate):
    """A server whose certificate is its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            raise AssertionError("a message was sent to whom nobody vouches for")

    server = HTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1, signed by itself."""
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    made = x509.CertificateBuilder(
        issuer_name=name,
        subject_name=name,
        public_key=key.public_key(),
        serial_number=1,
        not_valid_before=datetime(2020, 1, 1, tzinfo=UTC),
        not_valid_after=datetime(2040, 1, 1, tzinfo=UTC),
    ).sign(key, hashes.SHA256())
    folder = tmp_path_factory.mktemp("tls")
    (folder / "cert").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key").write_bytes(private)
    return folder / "cert", folder / "key"


class TestApprise:
    """The real library, against a server that speaks what ``json://`` does."""

    def url(self, receiver) -> str:
        return f"json://127.0.0.1:{receiver.port}/hook"

    async def test_it_delivers_title_text_and_how_bad_it_is(self, receiver):
        await Apprise(Secret(self.url(receiver))).send(message())
        (one,) = receiver.taken
        assert one.json["title"] == message().title
        assert one.json["message"] == message().text
        assert one.json["type"] == "failure"

    @pytest.mark.parametrize("status", [302, 400, 500])
    async def test_what_is_not_taken_is_told_and_no_redirect_followed(self, receivers, status, caplog):
        receiver, elsewhere = receivers(), receivers()
        receiver.status(status, f"Location: {elsewhere.url}")
        with pytest.raises(NotTaken, match="apprise could not deliver it"):
            await Apprise(Secret(self.url(receiver))).send(message())
        assert (len(receiver.taken), elsewhere.taken, caplog.text) == (1, [], "")

    async def test_who_never_answers_is_left_in_time(self, receiver):
        receiver.hang = True
        with pytest.raises(NotTaken, match=r"did not answer within 0\.3 s"):
            await Apprise(Secret(self.url(receiver)), limit=0.3).send(message())

    @pytest.mark.parametrize(
        ("url", "says"),
        [
            ("jsons://hooks.example/x?verify=no", "verification"),
            ("jsons://hooks.example/x?redirect=yes", "redirects"),
            ("json://hooks.example/x", "in clear"),
            ("nonsense://x", "no URL of one service"),
            ("json://127.0.0.1/a, json://127.0.0.1/b", "no URL of one service"),
        ],
    )
    def test_what_would_weaken_it_is_refused(self, url, says):
        found = faults(spec("apprise", url))
        assert [field for field, _, _ in found] == ["url"]
        assert says in found[0][1]

    @pytest.mark.parametrize(
        "url",
        ["jsons://hooks.example/x", "json://127.0.0.1:99/x", "tgram://123456789:abcdefg_hijklmnop/12315544/"],
    )
    def test_what_is_safe_is_taken(self, url):
        assert faults(spec("apprise", url)) == ()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://hooks.example/T1", "in clear"),
        ("ftp://hooks.example/T1", "no http or https"),
        ("hooks.example/T1", "no http or https"),
        ("https://user:word@hooks.example/", "a user or a password"),
        ("https://[::1", "no http or https"),
        ("https://hooks.example:port/", "no http or https"),
        ("https://hooks.example/a b", "no http or https"),
    ],
)
@pytest.mark.parametrize("type_", ["webhook", "slack"])
def test_a_url_that_would_be_unsafe_is_refused(type_, url, says):
    ((field, what, fix),) = faults(spec(type_, url))
    assert (field, says in what) == ("url", True)
    assert fix


@pytest.mark.parametrize(
    "secret", [None, "", "short", "whsec_", "whsec_!!", "whsec_" + "QUJD", "c2VjcmV0" * 6]
)
def test_a_webhook_needs_a_secret_of_some_strength(secret):
    ((field, _, fix),) = faults(spec(secret=secret))
    assert field == "secret"
    assert "openssl rand" in fix


def test_entries_without_faults_open():
    for type_, url in (
        ("webhook", "https://hooks.example/T1"),
        ("slack", "http://127.0.0.1:8065/hooks/x"),
        ("slack", "http://[::1]:8065/hooks/x"),
        ("apprise", "jsons://hooks.example/x"),
    ):
        assert faults(spec(type_, url)) == ()
        assert open_sink(spec(type_, url))
    assert set(KINDS) == {"webhook", "slack", "apprise"}


def test_only_webhooks_take_a_secret():
    assert faults(spec("slack", secret="x"))[0][0] == "secret"
    assert faults(spec("apprise", "jsons://hooks.example/x", secret="x"))[0][0] == "secret"


def test_a_spec_shows_neither_url_nor_secret():
    assert "hooks" not in repr(spec())
    assert "whsec" not in f"{spec()}"
