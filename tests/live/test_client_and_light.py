from __future__ import annotations

import subprocess
import sys

import pytest

from reconciler.exchanges import registry
from reconciler.live import light
from reconciler.live.client import Client, _decoded, missing, prototype
from reconciler.live.scrub import scrub, scrub_report
from reconciler.model.errors import ObservationError
from reconciler.model.live import CallFailed, FailureKind, KeyReport
from reconciler.model.secret import Credentials, Secret

SECRETS = Credentials(api_key=Secret("key-111"), secret=Secret("sec-222"), passphrase=Secret("pas-333"))


class Nowhere:
    async def request(self, *args, **kwargs):
        raise ConnectionResetError


def client(name="kucoin", credentials=SECRETS, **options):
    made = prototype(registry.get(name), {})
    return Client(made=made, session=Nowhere(), credentials=credentials, **options), made


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_one_exchange_is_imported_without_the_others():
    code = (
        "import sys; from reconciler.live.light import load; load('mexc');"
        "print([m for m in sys.modules if m.endswith(('.binance', '.okx'))])"
    )
    assert run(code) == "[]"


def test_ccxt_stays_whole_for_everybody_else():
    code = (
        "from reconciler.live.light import load; one = load('mexc');"
        "import ccxt, ccxt.async_support as a;"
        "print(a.mexc is one, ccxt.binance.__name__, a.okx.__name__, len(a.exchanges) > 90)"
    )
    assert run(code) == "True binance okx True"


def test_a_ccxt_that_breaks_the_trick_is_imported_plainly():
    code = (
        "import reconciler.live.light as light\n"
        "class Broken(light._LightLoader):\n"
        "    def get_code(self, fullname): raise SyntaxError\n"
        "light._LightLoader = Broken\n"
        "print(light.load('kucoin').__name__)"
    )
    assert run(code) == "kucoin"


def test_an_id_that_ccxt_has_not():
    with pytest.raises(AttributeError):
        light.load("moonex")


def test_copies_share_no_state_that_a_call_changes():
    (one, made), shared = client(), "hasAlreadyAuthenticatedSuccessfully"
    two = Client(made=made, session=Nowhere(), credentials=SECRETS)
    one._ccxt.options[shared] = True
    one._ccxt.options["versions"]["private"]["GET"]["accounts"] = "v9"
    one._ccxt.headers["X"] = "y"
    assert shared not in two._ccxt.options
    assert two._ccxt.options["versions"]["private"]["GET"].get("accounts") != "v9"
    assert "X" not in two._ccxt.headers
    assert made.apiKey != SECRETS.api_key.reveal()


async def test_nothing_of_a_request_is_kept():
    one, _ = client()
    await one.call(registry.get("kucoin").calls[3])
    kept = {name: value for name, value in vars(one._ccxt).items() if name.startswith("last")}
    assert "key-111" not in repr(kept)
    assert "key-111" not in repr(one)
    one.close()
    assert "key-111" not in repr(vars(one._ccxt))


async def test_a_secret_that_cannot_sign_is_told_without_its_text(monkeypatch):
    made = prototype(registry.get("mexc"), {})

    def sign(self, *args, **kwargs):
        raise ValueError(f"no PEM: {self.secret}")

    monkeypatch.setattr(type(made), "sign", sign)
    one = Client(made=made, session=Nowhere(), credentials=SECRETS)
    with pytest.raises(CallFailed) as caught:
        await one.call(registry.get("mexc").calls[1])
    assert caught.value.failure.kind is FailureKind.BAD_SIGNATURE
    assert caught.value.__cause__ is None
    assert "sec-222" not in caught.value.failure.message


async def test_a_request_that_ccxt_cannot_form_is_our_fault_and_not_the_secrets():
    one, made = client("mexc")
    del made.urls["api"]["spot"]["private"]
    with pytest.raises(ObservationError, match="cannot form"):
        await one.call(registry.get("mexc").calls[1])


@pytest.mark.parametrize("skew", [0.0, 0.9, -0.9])
def test_small_differences_of_clocks_are_left(skew):
    one, _ = client(skew=skew, clock=lambda: 5000.0)
    assert one._ccxt.milliseconds() == 5000 * 1000


@pytest.mark.parametrize("skew", [90.0, -90.0])
def test_the_exchanges_clock_signs(skew):
    one, _ = client(skew=skew, clock=lambda: 5000.0)
    assert one._ccxt.milliseconds() == (5000 - skew) * 1000
    assert one._ccxt.seconds() == 5000 - skew
    assert one._ccxt.microseconds() == (5000 - skew) * 1_000_000


@pytest.mark.parametrize("skew", [0.0, 30.0])
def test_a_later_measure_replaces_the_earlier(skew):
    one, _ = client(skew=90.0, clock=lambda: 5000.0)
    one.correct_clock(skew)
    fresh, _ = client(skew=skew, clock=lambda: 5000.0)
    assert one._ccxt.milliseconds() == fresh._ccxt.milliseconds() == (5000 - skew) * 1000


@pytest.mark.parametrize("fault", [KeyError, AttributeError, NameError])
async def test_a_fault_of_ccxt_in_signing_is_no_refusal_of_the_key(monkeypatch, fault):
    """A refusal stops a running bot at once: a change in ccxt must not stop all of them."""
    made = prototype(registry.get("mexc"), {})

    def sign(self, *args, **kwargs):
        raise fault(self.secret)

    monkeypatch.setattr(type(made), "sign", sign)
    one = Client(made=made, session=Nowhere(), credentials=SECRETS)
    with pytest.raises(ObservationError) as caught:
        await one.call(registry.get("mexc").calls[1])
    assert "sec-222" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_what_is_missing():
    kucoin, mexc = registry.get("kucoin"), registry.get("mexc")
    without = Credentials(api_key=Secret("k"), secret=Secret("s"))
    empty = Credentials(api_key=Secret(""), secret=Secret("s"), passphrase=Secret("p"))
    assert missing(kucoin, without).kind is FailureKind.MISSING_PASSPHRASE
    assert missing(mexc, without) is None
    assert missing(kucoin, empty).kind is FailureKind.INVALID_KEY


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ('{"uid": 44705892343619584123}', {"uid": 44705892343619584123}),
        ("[1.5]", [1.5]),
        ('{"a": NaN}', None),
        ("<html>", None),
        ("", None),
        ("[" * 100_000, None),
        ('{"n": ' + "9" * 5000 + "}", None),
    ],
    ids=lambda value: str(value)[:20],
)
def test_decoding(text, body):
    assert _decoded(text) == body


def test_scrubbing():
    assert scrub("my key-111 and sec-222", SECRETS) == "my ******** and ********"
    assert scrub(None, SECRETS) is None
    short = Credentials(api_key=Secret("a"), secret=Secret("b"))
    assert scrub("a banana", short) == "a banana"
    report = scrub_report(KeyReport(label="x\x1bkey-111", unknown_words=("sec-222",)), SECRETS)
    assert (report.label, report.unknown_words) == ("x ********", ("********",))
