"""No secret leaves the process: every command, every renderer, every failure, hunted for planted secrets."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.resources import folder
from reconciler.sandbox.scenario import Faults, Verbatim
from reconciler.sandbox.venues import venue

EXAMPLES = folder("examples")
SCENARIO = yaml.safe_load((EXAMPLES / "sandbox.yaml").read_text())
PLANTED = sorted(
    {
        str(key[field])
        for exchange in SCENARIO["exchanges"].values()
        for key in exchange["keys"].values()
        for field in ("api_key", "secret", "passphrase")
        if field in key
    }
)


def spellings(secret: str) -> set[str]:
    return {
        secret,
        quote(secret, safe=""),
        base64.b64encode(secret.encode()).decode().rstrip("="),
        secret[4:-2],
    }


FORBIDDEN = sorted({form for secret in PLANTED for form in spellings(secret)})


def hunt(text: str, where: str) -> None:
    found = [form for form in FORBIDDEN if form in text]
    assert not found, f"{where} holds a planted secret"


def hunt_everywhere(site, done, where: str) -> None:
    """In what was printed, and in every file that the run left, whatever its name."""
    hunt(done.stdout, f"{where}: stdout")
    hunt(done.stderr, f"{where}: stderr")
    for path in site.root.parent.rglob("*"):
        shipped = path.is_relative_to(site.root) and (EXAMPLES / path.relative_to(site.root)).exists()
        if path.is_file() and not shipped:
            hunt(path.read_bytes().decode("utf-8", "replace"), f"{where}: {path.name}")


COMMANDS = [
    ("--dry-run", "-v"),
    ("--dry-run", "--output", "json", "--out", "plan.json"),
    ("--dry-run", "--output-file", "json=report.json", "--output-file", "text=report.txt"),
    ("--yes", "-v"),
    ("check", "-v"),
    ("check", "--output", "json"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_commands_on_keys_in_every_state(site, command):
    hunt_everywhere(site, site.call(*command), " ".join(command))


@pytest.mark.parametrize(
    "command",
    [
        ("validate",),
        ("validate", "--output", "json"),
        ("doctor",),
        ("lockdown", "--all", "--reason", "drill", "--yes"),
        ("lockdown", "--list", "--output", "json"),
    ],
    ids=" ".join,
)
def test_commands_that_need_no_key(site, command):
    arguments = [command[0], "-f", "connections.yaml", *command[1:]]
    hunt_everywhere(site, site.run(*arguments, raw=True), " ".join(command))


@pytest.mark.parametrize("exchange", ["mexc", "kucoin"])
def test_every_documented_failure(site, exchange):
    names = {"mexc": "mexc-spot-main", "kucoin": "recovery-pro"}
    key = site.key(names[exchange])
    slow = {"rate_limited_short"}  # asks for ten seconds of rest, and gets them
    for error in sorted(set(venue(exchange).errors) - slow):
        key.faults.error = error
        done = site.call("check", names[exchange], "-v", "--output", "json")
        hunt_everywhere(site, done, error)
        assert json.loads(done.stdout)["connections"][0]["status"] != "connected", error


@pytest.mark.parametrize("connection", ["mexc-spot-main", "recovery-pro"])
@pytest.mark.parametrize("status", [200, 400, 401, 403, 429, 500])
def test_an_exchange_that_echoes_what_it_was_sent(site, connection, status):
    key = site.key(connection)
    echo = {
        "code": 700002,
        "msg": f"bad {key.api_key} {key.secret} {getattr(key, 'passphrase', '')}",
        "url": "?signature=abc",
    }
    key.faults.verbatim = Verbatim(status=status, body=echo)
    hunt_everywhere(site, site.call("check", connection, "-v"), f"echo {status}")
    key.faults.verbatim = Verbatim(status=status, body=f"<html>{key.api_key} {key.secret}</html>")
    hunt_everywhere(site, site.call("check", connection, "-v", "--output", "json"), f"html echo {status}")


@pytest.mark.parametrize(
    "fault", [{"cut": True}, {"outage": 502}, {"outage": "closed"}, {"html": 403}, {"html": 200}]
)
def test_broken_answers(site, fault):
    key = site.key("mexc-spot-main")
    for name, value in fault.items():
        setattr(key.faults, name, value)
    done = site.call("check", "mexc-spot-main", "-v")
    hunt_everywhere(site, done, str(fault))
    assert "Traceback" not in done.stderr


_PLACES = (
    "note",
    "accessKey",
    "permissions",
    "ipWhiteList",
    "status",
    "createTime",
    "remainingValidity",
    "other",
)
_SHAPES = st.sampled_from(
    ["{}", "x{}y", "{},SPOT_DEAL_READ", "{{{}}}", "http://h/p?signature={}", "{}\x1b[31m"]
)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    field=st.sampled_from(["api_key", "secret"]),
    told=st.dictionaries(st.sampled_from(_PLACES), _SHAPES, min_size=1),
    nested=st.booleans(),
    status=st.sampled_from([200, 200, 400, 401]),
)
def test_wherever_an_exchange_echoes_it(site, field, told, nested, status):
    """Invariant 6, over generated answers to the question about the key itself."""
    key = site.key("mexc-spot-main")
    echoed = {name: shape.format(getattr(key, field)) for name, shape in told.items()}
    body = {"accessKey": key.api_key, "permissions": "SPOT_ACCOUNT_READ", "status": "VALID", **echoed}
    verbatim = Verbatim(status=status, body={"data": body, **body} if nested else body)
    key.faults.paths["/api/v3/apiKeyInfo"] = Faults(verbatim=verbatim)
    for command in (
        ("check", "mexc-spot-main", "-v"),
        ("--dry-run", "--output", "json", "--out", "plan.json"),
    ):
        done = site.call(*command)
        assert done.stdout
        hunt_everywhere(site, done, " ".join(command))


class TestSecretFiles:
    """What can be wrong with a secret file, with the secret in it."""

    SECRET = "5d0a1f7e3c9b4a6d8e2f0b7c1a9d3e5f"

    def file(self, site):
        return site.root / "secrets" / "mexc-spot-main.sops.yaml"

    def all_commands(self, site, code):
        for command in (("check", "-v"), ("--dry-run", "-v"), ("--dry-run", "--output", "json")):
            done = site.call(*command)
            hunt_everywhere(site, done, " ".join(command))
            assert done.returncode in ({code} if isinstance(code, int) else code), done.stderr
        done = site.run("validate", "-f", "connections.yaml", raw=True)
        hunt_everywhere(site, done, "validate")

    def test_plaintext_beside_ciphertext(self, site):
        text = self.file(site).read_text()
        lines = [
            f'secret: "{self.SECRET}"' if line.startswith("secret:") else line for line in text.splitlines()
        ]
        self.file(site).write_text("\n".join(lines))
        self.all_commands(site, 4)

    def test_not_encrypted_at_all(self, site):
        self.file(site).write_text(
            f'connection: mexc-spot-main\nexchange: mexc\napi_key: "x"\nsecret: "{self.SECRET}"\n'
        )
        self.all_commands(site, 4)

    def test_tampered(self, site):
        text = self.file(site).read_text()
        self.file(site).write_text(text.replace("tag:", "tag:AA", 1))
        self.all_commands(site, 4)

    def test_a_key_that_does_not_open_it(self, site):
        site.environment["SOPS_AGE_KEY_FILE"] = str(site.root / "nothing.agekey")
        self.all_commands(site, 4)

    def test_plaintext_in_the_configuration(self, site):
        site.edit(
            lambda doc: doc["connections"]["mexc-spot-main"].update(
                credentials={"api_key": "x" * 12, "secret": self.SECRET}
            )
        )
        for command in (("check",), ("--dry-run",), ("--yes",)):
            done = site.call(*command)
            hunt(done.stdout + done.stderr, " ".join(command))
            assert done.returncode in (3, 4)


def test_the_hunt_finds_what_it_hunts_for():
    for secret in PLANTED:
        with pytest.raises(AssertionError):
            hunt(f"... {secret} ...", "a text")
