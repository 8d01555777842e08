"""`reconcile connect` at a real terminal, with the real sops, the sandbox, and fingers on Ctrl-C."""

from __future__ import annotations

import base64
import json
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.sandbox.scenario import Key

LIMIT = 40
API_KEY = "67plantedApiKey0canary42"
SECRET = "9d8c7b6a-planted-4f5e-secret-canary"
PASSPHRASE = "plantedPassCanary7"
PLANTED = (API_KEY, SECRET, PASSPHRASE)
NEW = "kucoin-grid-pilot"

#: Every question in its order, and an answer to it.
QUESTIONS = (
    ("Exchange: ", "kucoin"),
    ("Market (spot, margin, futures) [spot]: ", ""),
    ("Id [kucoin-spot]: ", NEW),
    ("Name [KuCoin Grid Pilot]: ", ""),
    ("Egress (one of these, or a new id) [bot-eu]: ", ""),
    ("API key (not shown): ", API_KEY),
    ("Secret (not shown): ", SECRET),
    ("Passphrase (not shown): ", PASSPHRASE),
    ("Write them? [Y/n]: ", ""),
)


@dataclass
class Desk:
    """The checkout of ``site`` with a terminal in front of it."""

    site: object
    sit_down: Callable[..., object]

    def connect(self, *arguments: str):
        line = self.site.arguments("connect", *arguments)
        return self.sit_down(*line, cwd=self.site.root, environment=self.site.environment)

    def tree(self) -> dict[str, bytes]:
        """Every file of the checkout, and every folder."""
        root = self.site.root
        return {
            str(path.relative_to(root)): path.read_bytes() if path.is_file() else b"/"
            for path in sorted(root.rglob("*"))
        }


@pytest.fixture
def desk(site, sit_down):
    site.sandbox.sandbox.scenario.exchanges["kucoin"].keys[NEW] = Key(
        name=NEW,
        api_key=API_KEY,
        secret=SECRET,
        passphrase=PASSPHRASE,
        permissions="General,Spot",
        ip_whitelist=["203.0.113.10"],
        label="KuCoin Grid Pilot",
        uid="165111299",
        balances={"USDT": "100"},
    )
    return Desk(site, sit_down)


def leaks(text: str) -> list[str]:
    forms = [
        form
        for value in PLANTED
        for form in (value, value[3:-3], base64.b64encode(value.encode()).decode()[:-3])
    ]
    return [form for form in forms if form in text]


def only_inserted(before: bytes, after: bytes) -> bool:
    return any(
        before[:at] + after[at : len(after) - len(before) + at] + before[at:] == after
        for at in range(len(before) + 1)
    )


class TestTheWholeWay:
    def test_a_person_ends_with_a_connection_that_is_online(self, desk):
        before = desk.tree()
        person = desk.connect()
        person.answer(*QUESTIONS)
        assert person.ends() == 0, person.shown
        assert re.search(r"Online\s+KuCoin Grid Pilot", person.shown)
        assert "check: 1 online" in person.shown
        assert not leaks(person.shown)

        after = desk.tree()
        secret = f"secrets/{NEW}.sops.yaml"
        assert set(after) - set(before) == {secret}
        assert [name for name in before if before[name] != after[name]] == ["connections.yaml"]
        assert only_inserted(before["connections.yaml"], after["connections.yaml"])
        assert not leaks(
            "".join(data.decode("utf-8", "replace") for name, data in after.items() if "sandbox" not in name)
        )
        assert b"connection: kucoin-grid-pilot\nexchange: kucoin\n" in after[secret]

        assert desk.site.run("validate", "-f", "connections.yaml", raw=True).returncode == 0
        (item,) = desk.site.report("check", NEW)["connections"]
        assert (item["status"], item["key"]["account"]["uid"]) == ("connected", "165111299")

    def test_what_to_do_at_the_exchange_is_told_before_the_key_is_asked_for(self, desk):
        person = desk.connect(
            "--exchange",
            "kucoin",
            "--market",
            "futures",
            "--id",
            "kucoin-f",
            "--name",
            "F",
            "--egress",
            "bot-eu",
        )
        person.read_until("API key (not shown): ")
        for rule in (
            "Create the key on KuCoin",
            "futures trading",
            "Withdrawals never",
            "203.0.113.10",
            "Two-factor",
        ):
            assert rule in person.shown
        assert person.interrupt() == 130

    def test_a_key_that_fails_its_test_may_be_taken_away_again(self, desk):
        desk.site.key(NEW).permissions = "General,Spot,Transfer"
        before = desk.tree()
        person = desk.connect()
        person.answer(*QUESTIONS, ("Keep the files, to check again later? [Y/n]: ", "n"))
        assert person.ends() == 5
        assert "withdraw-enabled" in person.shown
        assert desk.tree() == before

    def test_or_kept_with_the_way_back(self, desk):
        desk.site.key(NEW).permissions = "General,Spot,Transfer"
        person = desk.connect()
        person.answer(*QUESTIONS, ("Keep the files, to check again later? [Y/n]: ", ""))
        assert person.ends() == 5
        assert f"remove `{NEW}` from connections.yaml" in person.shown
        assert (desk.site.root / "secrets" / f"{NEW}.sops.yaml").is_file()


class TestInterrupted:
    @pytest.mark.parametrize("asked", range(len(QUESTIONS)), ids=[q.split(" ")[0] for q, _ in QUESTIONS])
    def test_at_any_question_nothing_is_left(self, desk, asked):
        before = desk.tree()
        person = desk.connect()
        person.answer(*QUESTIONS[:asked])
        person.read_until(QUESTIONS[asked][0])
        person.type("half an ans")
        assert person.interrupt() == 130, person.shown
        assert desk.tree() == before
        assert "Traceback" not in person.shown
        assert person.echoes, "the terminal is given back as it was"

    def test_ended_from_outside_while_it_hides_what_is_typed(self, desk):
        before = desk.tree()
        person = desk.connect()
        person.answer(*QUESTIONS[:5])
        person.read_until("API key (not shown): ")
        assert not person.echoes
        person.process.terminate()
        assert person.ends() == 130
        assert person.echoes
        assert desk.tree() == before

    def test_during_the_test_a_whole_connection_is_left(self, desk):
        desk.site.key(NEW).faults.delay_ms = 8000
        person = desk.connect()
        person.answer(*QUESTIONS)
        person.read_until("Written: ")
        deadline = time.monotonic() + LIMIT
        while not desk.site.sandbox.sandbox.requests:
            assert time.monotonic() < deadline
            select.select([], [], [], 0.02)
        assert person.interrupt() == 130
        desk.site.key(NEW).faults.delay_ms = 0
        assert desk.site.report("check", NEW)["connections"][0]["status"] == "connected"

    @pytest.mark.parametrize("name", ["connections.yaml", f"secrets/{NEW}.sops.yaml"])
    def test_what_somebody_else_writes_meanwhile_is_kept(self, desk, name):
        person = desk.connect()
        person.answer(*QUESTIONS[:-1])
        person.read_until("Write them? [Y/n]: ")
        (desk.site.root / name).write_bytes(b"# written meanwhile\n")
        before = desk.tree()
        person.type("\n")
        assert person.ends() == 3
        assert "was changed by somebody else" in " ".join(person.shown.split())
        assert desk.tree() == before

    def test_declined_nothing_is_left(self, desk):
        before = desk.tree()
        person = desk.connect()
        person.answer(*QUESTIONS[:-1], ("Write them? [Y/n]: ", "n"))
        assert person.ends() == 10
        assert desk.tree() == before


class TestWrongAnswersAreAskedAgain:
    def test_at_once_and_without_repeating_them(self, desk):
        person = desk.connect()
        person.answer(("Exchange: ", "pasted-Secret-by-mistake"))
        person.read_until("expected the id of an exchange: binance")
        person.answer(("Exchange: ", "kucoin"), (": ", "swap"))
        person.read_until("expected spot, margin, futures")
        person.answer(("[spot]: ", ""), ("Id [kucoin-spot]: ", "Not An Id"))
        person.read_until("expected an id: lower-case letters")
        person.answer(("Id [kucoin-spot]: ", "recovery-pro"))
        person.read_until("this id is taken in connections.yaml:")
        person.answer(("Id [kucoin-spot]: ", NEW), ("Name [KuCoin Grid Pilot]: ", "recovery pro  connection"))
        person.read_until("already the name of recovery-pro")
        person.answer(("Name [KuCoin Grid Pilot]: ", ""), ("Egress", "Bot EU"))
        person.read_until("expected an id")
        person.answer(("Egress", "bot-new"), ("Addresses of bot-new", "not-an-address"))
        person.read_until("address 1 is no IP address")
        person.answer(("Addresses of bot-new", "203.0.113.10, 2001:db8::1"))
        person.read_until("address 2 is an address of ipv6")
        person.answer(("Addresses of bot-new", "203.0.113.10"))
        person.answer(*QUESTIONS[5:])
        assert person.ends() == 0, person.shown
        text = (desk.site.root / "connections.yaml").read_text()
        assert "  bot-new:\n    addresses: [203.0.113.10]\n" in text

    @pytest.mark.parametrize(
        ("typed", "told"),
        [
            (f" {API_KEY}\n", "begins or ends with a space"),
            (f"{API_KEY}\t\n", "begins or ends with a space"),
            (f"{API_KEY}\r\n\n", "more than one line"),
            (f"{API_KEY}\nand more\n", "more than one line"),
            (f"{API_KEY}\nand mo", "more than one line"),
            (f"{API_KEY}\u200b\n", "invisible character"),
            ("\n", "is empty"),
            ("ключ\n", "a character that API keys do not have"),
            ("-----BEGIN PRIVATE KEY-----\nplanted\n-----END PRIVATE KEY-----\n", "line break"),
            ("x" * 5000 + "\n", "longer than a terminal hands over"),
        ],
        ids=["space", "tab", "blank", "lines", "half", "invisible", "empty", "letters", "pem", "long"],
    )
    def test_a_paste_that_cannot_be_a_key(self, desk, typed, told):
        person = desk.connect()
        person.answer(*QUESTIONS[:5])
        person.read_until("API key (not shown): ")
        person.type(typed)
        person.read_until(told)
        person.answer(*QUESTIONS[5:])
        assert person.ends() == 0, person.shown
        assert not leaks(person.shown)

    def test_the_same_twice(self, desk):
        person = desk.connect()
        person.answer(*QUESTIONS[:6], ("Secret (not shown): ", API_KEY))
        person.read_until("is the same as the API key")
        person.answer(*QUESTIONS[6:])
        assert person.ends() == 0, person.shown

    def test_a_private_key_over_many_lines(self, desk):
        pem = "-----BEGIN EC PRIVATE KEY-----\\nMHcCAQEEplantedCanary\\n-----END EC PRIVATE KEY-----\\n"
        options = ("--market", "spot", "--id", "cb-spot", "--name", "CB", "--egress", "bot-eu", "--no-test")
        for number, typed in enumerate((pem, pem.replace("\\n", "\n").rstrip("\n"))):
            person = desk.connect(
                "--exchange",
                "coinbase",
                *options[:2],
                "--id",
                f"cb-{number}",
                "--name",
                f"CB {number}",
                *options[6:],
            )
            person.answer(
                ("API key (not shown): ", "organizations/a/apiKeys/b"), ("Secret (not shown): ", typed)
            )
            person.answer(("Write them? [Y/n]: ", ""))
            assert person.ends() == 0, person.shown
            assert "plantedCanary" not in person.shown
            opened = decrypted(desk, f"secrets/cb-{number}.sops.yaml")
            assert opened["secret"] == pem.replace("\\n", "\n")


def decrypted(desk, name: str) -> dict[str, str]:
    sops = desk.site.environment["RECONCILER_SOPS"]
    done = subprocess.run(
        [sops, "decrypt", "--output-type", "json", name],
        cwd=desk.site.root,
        env=desk.site.environment,
        capture_output=True,
        check=True,
    )
    return json.loads(done.stdout)


class TestFromAPipe:
    PIPE = "--stdin --yes --exchange"
    KEY = json.dumps({"api_key": API_KEY, "secret": SECRET, "passphrase": PASSPHRASE})

    def connect(self, desk, *arguments: str, key: str = KEY, config: str = "connections.yaml"):
        line = [*desk.site.arguments("connect", *arguments)]
        line[line.index("connections.yaml")] = config
        return subprocess.run(
            [sys.executable, "-m", "reconciler.cli", *line],
            cwd=desk.site.root,
            env=desk.site.environment,
            input=key,
            text=True,
            capture_output=True,
            timeout=LIMIT,
            check=False,
        )

    def test_a_script_needs_no_terminal(self, desk):
        options = ("--exchange", "kucoin", "--id", NEW)
        done = self.connect(desk, "--stdin", "--yes", *options, "--output", "json")
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        assert [item["status"] for item in report["connections"]] == ["connected"]
        assert not leaks(done.stdout + done.stderr)

    def test_a_first_connection_begins_a_file(self, desk):
        options = ("--exchange", "kucoin", "--id", NEW, "--address", "203.0.113.10", "--egress", "bot-us")
        done = self.connect(desk, "--stdin", "--yes", *options, config="own.yaml")
        assert done.returncode == 0, done.stderr
        text = (desk.site.root / "own.yaml").read_text()
        # No line for editors: the schema lies elsewhere, and a path of this machine helps nobody else.
        assert text.startswith("version: 1\n\negress:\n  bot-us:\n    addresses: [203.0.113.10]\n")
        assert desk.site.run("validate", "-f", "own.yaml", raw=True).returncode == 0

    def test_the_secret_reaches_sops_through_a_pipe_alone(self, desk, tmp_path):
        spy, real = tmp_path / "spy", desk.site.environment["RECONCILER_SOPS"]
        spy.write_text(f'#!/bin/sh\n{{ echo "$@"; env; }} >> {tmp_path}/seen\nexec {real} "$@"\n')
        spy.chmod(0o755)
        desk.site.environment["RECONCILER_SOPS"] = str(spy)
        assert self.connect(desk, "--stdin", "--yes", "--exchange", "kucoin", "--id", NEW).returncode == 0
        seen = (tmp_path / "seen").read_text()
        assert "encrypt" in seen
        assert not leaks(seen)

    @pytest.mark.parametrize(
        ("arguments", "key", "code", "says"),
        [
            ("", KEY, 3, "no terminal to ask for the key"),
            ("--stdin", KEY, 3, "add --yes"),
            ("--stdin --yes", KEY, 3, "--exchange is missing"),
            (f"{PIPE} mtgox", KEY, 3, "expected the id of an exchange"),
            (f"{PIPE} hyperliquid", KEY, 3, "it signs with"),
            (f"{PIPE} kucoin", SECRET, 3, "one JSON object"),
            (f"{PIPE} kucoin", f'["{SECRET}"]', 3, "one JSON object"),
            (f"{PIPE} kucoin", KEY.replace("api_key", API_KEY), 3, "one JSON object"),
            (f"{PIPE} mexc", KEY, 3, "exactly api_key, secret"),
            (f"{PIPE} kucoin", KEY.replace(SECRET, f"{SECRET}\\n"), 3, "line break"),
            (f"{PIPE} kucoin", "x" * 100_000, 3, "one JSON object"),
            (f"{PIPE} kucoin --id recovery-pro", KEY, 3, "is taken"),
            (f"{PIPE} kucoin --egress bot-eu --address 203.0.113.9", KEY, 3, "--address"),
            (f"{PIPE} kucoin --egress bot-xx", KEY, 3, "--address is missing"),
            (f"{PIPE} kucoin --age AGE-SECRET-KEY-1ABC", KEY, 3, "private key"),
            (f"{PIPE} kucoin --into other.yaml", KEY, 3, "--into"),
            (f"{PIPE} kucoin --sops /nowhere/sops", KEY, 4, "/nowhere/sops"),
        ],
    )
    def test_what_cannot_work_changes_nothing(self, desk, arguments, key, code, says):
        before = desk.tree()
        done = self.connect(desk, *arguments.split(), key=key)
        assert done.returncode == code, done.stderr
        assert says in " ".join(done.stderr.split())
        assert not leaks(done.stdout + done.stderr)
        assert desk.tree() == before

    @pytest.mark.parametrize(
        "rule",
        [
            "encrypted_regex: ^(api_key)$",
            "encrypted_regex: '^(api_key|secret'",
            "unencrypted_regex: ^x$",
            "mac_only_encrypted: true\n    encrypted_regex: ^(api_key|secret|passphrase)$",
        ],
        ids=["secret in clear", "broken", "binding hidden", "no whole MAC"],
    )
    def test_rules_that_would_not_protect_it(self, desk, rule):
        rules = desk.site.root / ".sops.yaml"
        head, _, recipient = rules.read_text().partition(
            "encrypted_regex: ^(api_key|secret|passphrase|private_key|username|password|token)$"
        )
        rules.write_text(head + rule + recipient)
        before = desk.tree()
        person = desk.connect()
        person.answer(*QUESTIONS[:5])
        assert person.ends() == 4
        assert "not shown" not in person.shown, "found out before anybody types a secret in vain"
        assert desk.tree() == before

    def test_a_file_that_lies_there_is_replaced_only_when_that_is_wanted(self, desk):
        secret = desk.site.root / "secrets" / f"{NEW}.sops.yaml"
        shutil.copy(desk.site.root / "secrets" / "recovery-pro.sops.yaml", secret)
        before = desk.tree()
        person = desk.connect()
        person.answer(*QUESTIONS[:5], ("Replace it, and lose what it holds? [y/N]: ", ""))
        assert person.ends() == 10
        assert desk.tree() == before
        assert self.connect(desk, "--stdin", "--yes", "--exchange", "kucoin", "--id", NEW).returncode == 0
        assert decrypted(desk, str(Path("secrets") / secret.name))["connection"] == NEW

    def test_recipients_of_ones_own_where_no_rules_are(self, desk):
        recipient = re.search(r"age: (age1\w+)", (desk.site.root / ".sops.yaml").read_text())[1]
        (desk.site.root / ".sops.yaml").unlink()
        options = ("--stdin", "--yes", "--exchange", "kucoin", "--id", NEW)
        assert "--age is missing" in self.connect(desk, *options).stderr
        assert self.connect(desk, *options, "--age", recipient).returncode == 0
