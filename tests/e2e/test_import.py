"""`reconcile import` as people and pipelines run it: the real sops, a real terminal, and the sandbox."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.engine.files import read
from reconciler.importing.freqtrade import Wishes
from reconciler.importing.freqtrade import read as read_freqtrade
from reconciler.sandbox.scenario import Key

#: Read before any test's environment is cleaned: a folder with freqtrade's own ``config_examples``.
EXAMPLES = os.environ.get("RECONCILER_TEST_FREQTRADE_EXAMPLES", "")

#: A checkout of Hummingbot, for its templates and the configurations that its own tests use.
HUMMINGBOT_EXAMPLES = os.environ.get("RECONCILER_TEST_HUMMINGBOT_EXAMPLES", "")

API_KEY, SECRET, PASSPHRASE = "67plantedFtKey0canary42", "9d8c7b6a-planted-ft-secret", "plantedFtPhrase7"
LOGIN, TELEGRAM, HUMMINGBOT = "planted-Login-canary7", "4242:plantedTelegram7", "planted Hb-Pass7"
PLANTED = (API_KEY, SECRET, PASSPHRASE, LOGIN, TELEGRAM, HUMMINGBOT)
IDS = ("grid-pilot-kucoin-spot", "grid-pilot")

#: Every key that freqtrade documents and an import looks at, with its comments and trailing commas.
CONFIG = """\
// The bot of the grid pilot
{
    "bot_name": "Grid Pilot",
    "max_open_trades": 3, "stake_currency": "USDT", "stake_amount": 0.05,
    "dry_run": false, "trading_mode": "spot", "margin_mode": "",
    "strategy": "SampleStrategy", /* its class */
    "minimal_roi": {"0": 0.04,},
    "exchange": {"name": "kucoin", "pair_whitelist": ["BTC/USDT", "ETH/USDT",],},
    "pairlists": [{"method": "StaticPairList"}],
    "telegram": {"enabled": true, "token": "TELEGRAM", "chat_id": "1"},
    "initial_state": "running",
    "api_server": {"enabled": true, "listen_ip_address": "127.0.0.1", "listen_port": 8089,
                   "username": "reconciler", "password": "LOGIN",},
    "add_config_files": ["keys/private.json"],
}
""".replace("TELEGRAM", TELEGRAM).replace("LOGIN", LOGIN)
KEYS = {"exchange": {"key": API_KEY, "secret": SECRET, "password": PASSPHRASE}}


def leaks(text: str) -> list[str]:
    forms = [
        form
        for value in PLANTED
        for form in (value, value[3:-3], base64.b64encode(value.encode()).decode()[:-3])
    ]
    return [form for form in forms if form in text]


@dataclass
class Desk:
    """A checkout, a freqtrade bot beside it, and a terminal."""

    site: Any
    sit_down: Any
    bot: Path
    said: list[str] = field(default_factory=list)

    def run(self, *arguments: str, **more: Any) -> Any:
        """As a process of its own where something of that matters, else in this one."""
        run = self.site.run if more else self.site.call
        done = run("import", *arguments, raw=True, **more)
        self.said += [done.stdout, done.stderr]
        return done

    def freqtrade(self, *arguments: str, **more: Any) -> Any:
        return self.run("freqtrade", str(self.bot / "config.json"), *arguments, **more)

    def at_terminal(self, *arguments: str):
        return self.sit_down("import", *arguments, cwd=self.site.root, environment=self.site.environment)

    def tree(self) -> dict[str, bytes]:
        """Every file of the checkout but what Python keeps."""
        files = self.site.root.rglob("*")
        return {str(path.relative_to(self.site.root)): path.read_bytes() for path in files if path.is_file()}

    def opened(self, name: str) -> dict[str, str]:
        sops = self.site.environment["RECONCILER_SOPS"]
        line = [sops, "decrypt", "--output-type", "json", f"secrets/{name}.sops.yaml"]
        done = subprocess.run(
            line, cwd=self.site.root, env=self.site.environment, capture_output=True, check=True
        )
        return json.loads(done.stdout)


@pytest.fixture
def desk(site, sit_down, tmp_path):
    site.sandbox.sandbox.scenario.exchanges["kucoin"].keys["pilot"] = Key(
        name="pilot",
        api_key=API_KEY,
        secret=SECRET,
        passphrase=PASSPHRASE,
        permissions="General,Spot",
        ip_whitelist=["203.0.113.10"],
        label="Grid Pilot",
        uid="165111299",
        balances={"USDT": "100"},
    )
    bot = tmp_path / "bot"
    (bot / "keys").mkdir(parents=True)
    (bot / "config.json").write_text(CONFIG)
    (bot / "keys" / "private.json").write_text(json.dumps(KEYS))
    made = Desk(site, sit_down, bot)
    yield made
    kept = {name: data.decode("utf-8", "replace") for name, data in made.tree().items()}
    held = "".join(text for name, text in kept.items() if "sandbox" not in name)
    assert not leaks("".join(made.said) + held), "no secret is shown or kept in clear"


class TestFreqtrade:
    def test_a_bot_ends_with_a_connection_that_is_online_and_a_strategy_that_is_off(self, desk):
        before = desk.tree()
        theirs = {path: path.read_bytes() for path in desk.bot.rglob("*.json")}
        done = desk.freqtrade("--egress", "bot-eu", "--yes", stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done.stderr

        after = desk.tree()
        assert set(after) - set(before) == {f"secrets/{name}.sops.yaml" for name in IDS}
        assert [name for name in before if before[name] != after[name]] == ["connections.yaml"]
        kept = set(before["connections.yaml"].splitlines())
        assert kept <= set(after["connections.yaml"].splitlines())
        assert theirs == {path: path.read_bytes() for path in desk.bot.rglob("*.json")}

        assert desk.opened(IDS[0]) == {
            "connection": IDS[0],
            "exchange": "kucoin",
            "api_key": API_KEY,
            "secret": SECRET,
            "passphrase": PASSPHRASE,
        }
        login = {"username": "reconciler", "password": LOGIN}
        assert desk.opened(IDS[1]) == {"runtime": IDS[1], "url": "http://127.0.0.1:8089", **login}

        assert desk.site.run("validate", "-f", "connections.yaml", raw=True).returncode == 0
        (item,) = desk.site.report("check", IDS[0])["connections"]
        assert (item["status"], item["key"]["account"]["uid"]) == ("connected", "165111299")
        written = yaml.safe_load(after["connections.yaml"])["strategies"]["grid-pilot"]
        assert written["enabled"] is False

    def test_what_it_says_names_what_stays_behind_and_how_to_go_on(self, desk):
        done = desk.freqtrade("--yes")
        assert f"{desk.bot}/config.json:7:20  minimal_roi" in done.stdout
        assert done.stdout.splitlines()[-1] == "import: 3 new, 0 there already, 3 not taken over"
        for told in (
            "Nothing was started",
            "reconcile check grid-pilot-kucoin-spot",
            "under `egress`",
            "`enabled: true`",
            "initial_state: stopped",
            f"{desk.bot}/keys/private.json:1:22  exchange.key",
            f"{desk.bot}/config.json:10:44  telegram.token",
            "api_server.password",
        ):
            assert told in done.stderr

    def test_twice_is_once(self, desk):
        desk.freqtrade("--yes")
        before = desk.tree()
        done = desk.freqtrade("--yes")
        assert (done.returncode, desk.tree()) == (0, before)
        assert "strategy grid-pilot is there already: connections.yaml:" in done.stdout
        assert "Nothing was changed: all of it is there already." in done.stderr
        (desk.bot / "config.json").write_text(CONFIG.replace('"ETH/USDT"', '"SOL/USDT"'))
        done = desk.freqtrade("--yes")
        assert (done.returncode, desk.tree()) == (0, before)
        assert "strategy grid-pilot is there already, with other pairs: connections.yaml:" in done.stdout
        assert "add --id" in done.stderr

    def test_a_dry_run_shows_all_and_changes_nothing(self, desk):
        before = desk.tree()
        done = desk.freqtrade("--dry-run")
        assert (done.returncode, desk.tree()) == (0, before)
        assert "    grid-pilot:\n      type: freqtrade\n" in done.stdout

    def test_a_file_of_its_own_and_the_top_option(self, desk):
        assert desk.freqtrade("--into", "bots.yaml", "--yes").returncode == 0
        assert desk.site.run("validate", "-f", "bots.yaml", raw=True).returncode == 0
        line = ["-f", "bots.yaml", "import", "freqtrade", str(desk.bot / "config.json"), "--yes"]
        assert "bots.yaml:4:3" in desk.site.run(*line, raw=True).stdout

    @pytest.mark.parametrize(
        ("arguments", "code", "says"),
        [
            ("", 3, "nobody to ask"),
            ("--yes --id Not_An_Id", 3, "--id: expected an id"),
            ("--yes --age AGE-SECRET-KEY-1ABC", 3, "private key"),
            ("--yes --into other.yaml -f connections.yaml", 3, "--into names"),
            ("--yes --egress nowhere", 3, "connection grid-pilot-kucoin-spot"),
            ("--yes --connection mexc-spot-main", 3, "with another exchange"),
            ("--yes --runtime nowhere", 3, "the files have no runtime nowhere"),
            ("--yes --url http://bots.example:80", 3, "in clear"),
            ("--yes --sops /nowhere/sops", 4, "/nowhere/sops"),
        ],
    )
    def test_what_cannot_work_changes_nothing(self, desk, arguments, code, says):
        before = desk.tree()
        done = desk.freqtrade(*arguments.split())
        assert done.returncode == code, done.stderr
        assert says in " ".join(done.stderr.split())
        assert desk.tree() == before

    @pytest.mark.parametrize(
        "content",
        [
            "{" * 100_000,
            '{"exchange": {"key": "' + SECRET,
            '{"' + API_KEY + '": {"secret": "' + SECRET + '"}}',
            '{"exchange": {"name": "' + SECRET + '", "key": "' + API_KEY + '"}}',
            '{"exchange": {"name": "kucoin", "key": "${KEY}", "secret": ["' + SECRET + '"]}}',
            '{"bot_name": "' + API_KEY + '", "trading_mode": "' + SECRET + '"}',
            "\x00\x01" + SECRET,
            SECRET * 250_000,
        ],
        ids=["deep", "open", "name", "exchange", "list", "mode", "binary", "large"],
    )
    def test_rubbish_is_refused_and_never_quoted(self, desk, content):
        before = desk.tree()
        (desk.bot / "config.json").write_text(content)
        done = desk.freqtrade("--yes")
        assert done.returncode == 3, done.stderr
        assert "config.json:" in done.stderr
        assert "Traceback" not in done.stderr
        assert desk.tree() == before

    def test_the_secrets_reach_sops_through_a_pipe_alone(self, desk, tmp_path):
        spy, real = tmp_path / "spy", desk.site.environment["RECONCILER_SOPS"]
        spy.write_text(f'#!/bin/sh\n{{ echo "$@"; env; }} >> {tmp_path}/seen\nexec {real} "$@"\n')
        spy.chmod(0o755)
        desk.site.environment["RECONCILER_SOPS"] = str(spy)
        assert desk.freqtrade("--yes").returncode == 0
        seen = (tmp_path / "seen").read_text()
        assert seen.count("encrypt") >= 2
        assert not leaks(seen)

    def test_killed_while_it_encrypts_it_leaves_nothing(self, desk, tmp_path):
        deadly = tmp_path / "deadly"
        deadly.write_text("#!/bin/sh\nkill -9 $PPID\n")
        deadly.chmod(0o755)
        before = desk.tree()
        done = desk.freqtrade("--yes", "--sops", str(deadly), stdin=subprocess.DEVNULL)
        assert (done.returncode, desk.tree()) == (-9, before)

    def test_the_key_that_connect_asks_for_is_used(self, desk):
        (desk.bot / "keys" / "private.json").write_text('{"exchange": {"key": "", "secret": ""}}')
        done = desk.freqtrade("--yes")
        assert done.returncode == 3
        assert "--id grid-pilot-kucoin-spot" in " ".join(done.stderr.split())
        other = " ".join(desk.freqtrade("--yes", "--into", "bots.yaml").stderr.split())
        assert "reconcile connect -f bots.yaml --exchange kucoin" in other
        told = {"api_key": API_KEY, "secret": SECRET, "passphrase": PASSPHRASE}
        line = ["connect", "--exchange", "kucoin", "--id", IDS[0], "--egress", "bot-eu", "--stdin", "--yes"]
        made = subprocess.run(
            [sys.executable, "-m", "reconciler.cli", *line, "--no-test"],
            cwd=desk.site.root,
            env=desk.site.environment,
            input=json.dumps(told),
            text=True,
            capture_output=True,
            check=False,
        )
        assert made.returncode == 0, made.stderr
        assert desk.freqtrade("--yes", "--connection", IDS[0]).returncode == 0
        assert desk.site.run("validate", "-f", "connections.yaml", raw=True).returncode == 0


def test_who_does_not_say_what_to_import_is_told_where_to_look(desk):
    done = desk.run()
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "error: Missing command.\nhint: reconcile import --help\n"


class TestAtATerminal:
    QUESTION = "Write it? [Y/n]: "

    def test_nothing_is_written_before_somebody_agrees(self, desk):
        before = desk.tree()
        person = desk.at_terminal("freqtrade", str(desk.bot / "config.json"))
        person.read_until(self.QUESTION)
        assert desk.tree() == before
        person.type("\n")
        assert person.ends() == 0, person.shown
        desk.said.append(person.shown)
        assert set(desk.tree()) - set(before) == {f"secrets/{name}.sops.yaml" for name in IDS}

    @pytest.mark.parametrize("answer", ["n\n", "\x03"])
    def test_who_does_not_agree_finds_all_as_it_was(self, desk, answer):
        before = desk.tree()
        person = desk.at_terminal("freqtrade", str(desk.bot / "config.json"))
        person.read_until(self.QUESTION)
        if answer == "\x03":
            assert person.interrupt() == 130
        else:
            person.type(answer)
            assert person.ends() == 10
        assert desk.tree() == before
        assert "Traceback" not in person.shown

    def test_a_secret_file_that_lies_there_is_lost_only_when_that_is_wanted(self, desk):
        (desk.site.root / "secrets" / "grid-pilot.sops.yaml").write_text("kept: 1\n")
        before = desk.tree()
        person = desk.at_terminal("freqtrade", str(desk.bot / "config.json"))
        person.answer(("Replace it, and write all? [y/N]: ", ""))
        assert person.ends() == 10
        assert desk.tree() == before


class TestHummingbot:
    """The keys were written by Hummingbot's own code, with its million rounds for each."""

    @pytest.fixture
    def client(self, tmp_path):
        recorded: dict[str, str] = {}
        exec((Path(__file__).parents[1] / "importing" / "recorded.py").read_text(), recorded)  # noqa: S102
        conf = tmp_path / "hb" / "conf"
        (conf / "connectors").mkdir(parents=True)
        (conf / "controllers").mkdir()
        key = recorded["ENCRYPTED_KEY"]
        (conf / ".password_verification").write_text(recorded["VERIFICATION"])
        (conf / "connectors" / "mexc.yml").write_text(
            f"connector: mexc\n\nmexc_api_key: {key}\n\nmexc_api_secret: {key}\n"
        )
        controller = {"controller_name": "pmm_simple", "total_amount_quote": 100.5}
        controller |= {"connector_name": "mexc", "trading_pair": "BTC-USDT"}
        (conf / "controllers" / "pmm_1.yml").write_text(yaml.safe_dump(controller))
        return conf.parent, recorded

    def test_the_password_is_asked_for_without_echo(self, desk, client):
        root, recorded = client
        person = desk.at_terminal("hummingbot", str(root), "--into", "hb.yaml")
        person.read_until("Hummingbot's password (not shown; empty to import without keys): ")
        assert not person.echoes
        person.type(recorded["PASSWORD"] + "\n")
        person.answer(("Write it? [Y/n]: ", ""))
        assert person.ends() == 0, person.shown
        assert person.echoes
        assert recorded["PASSWORD"] not in person.shown
        assert recorded["API_KEY"] not in person.shown
        assert desk.opened("hummingbot-mexc")["api_key"] == recorded["API_KEY"]
        assert desk.site.run("validate", "-f", "hb.yaml", raw=True).returncode == 0
        strategy = read([str(desk.site.root / "hb.yaml")]).strategies["hummingbot-pmm-1"]
        assert (strategy.enabled, strategy.connection, strategy.pairs) == (
            False,
            "hummingbot-mexc",
            ("BTC/USDT",),
        )

    def test_a_runtime_of_bots_needs_the_name_of_one(self, desk, client):
        runtime = {"type": "hummingbot", "url": "http://127.0.0.1:8000", "credentials": "secrets/h.sops.yaml"}
        (desk.site.root / "hb.yaml").write_text(
            yaml.safe_dump({"version": 1, "runtimes": {"hb-eu": runtime}})
        )
        (desk.site.root / "secrets" / "h.sops.yaml").write_text("runtime: hb-eu\n")
        line = ("hummingbot", str(client[0]), "--into", "hb.yaml", "--runtime", "hb-eu", "--yes")
        done = desk.run(*line)
        assert done.returncode == 3
        assert "--bot" in done.stderr
        assert "nobody named a bot" in done.stderr
        assert "--bot" not in desk.run(*line, "--bot", "maker-1").stderr

    def test_interrupted_at_the_password(self, desk, client):
        before = desk.tree()
        person = desk.at_terminal("hummingbot", str(client[0]))
        person.read_until("password (not shown")
        person.type("half a pass")
        assert person.interrupt() == 130
        assert person.echoes
        assert desk.tree() == before

    def test_from_a_file_and_from_a_descriptor(self, desk, client, tmp_path):
        root, recorded = client
        file = tmp_path / "password"
        file.write_text(recorded["PASSWORD"] + "\n")
        done = desk.run("hummingbot", str(root), "--into", "a.yaml", "--password-file", str(file), "--yes")
        assert done.returncode == 0, done.stderr
        reader, writer = os.pipe()
        os.write(writer, HUMMINGBOT.encode())
        os.close(writer)
        line = ("hummingbot", str(root), "--into", "b.yaml", "--password-file", f"/dev/fd/{reader}", "--yes")
        done = desk.run(*line, pass_fds=(reader,))
        os.close(reader)
        assert (done.returncode, "wrong-password" in done.stderr) == (3, True)

    @pytest.mark.parametrize(
        ("content", "says"),
        [("", "one line"), ("a\nb\n", "one line"), ("x" * 9999, "one line"), (None, "cannot be read")],
    )
    def test_what_is_no_password_file(self, desk, client, tmp_path, content, says):
        file = tmp_path / "password"
        if content is not None:
            file.write_text(content)
        done = desk.run("hummingbot", str(client[0]), "--password-file", str(file), "--yes")
        told = " ".join(done.stderr.split())  # where a line ends depends on how long the path is
        assert (done.returncode, says in told) == (3, True), done.stderr

    def test_without_a_password_and_a_terminal_nothing_is_there_to_write(self, desk, client):
        before = desk.tree()
        done = desk.run("hummingbot", str(client[0]), "--yes")
        assert done.returncode == 1
        assert "no key without the password: give --password-file" in done.stdout
        assert "reconcile connect --exchange mexc --market spot --id hummingbot-mexc" in done.stdout
        assert "nothing of it could be taken over" in done.stderr
        assert desk.tree() == before


@pytest.mark.skipif(
    not EXAMPLES, reason="RECONCILER_TEST_FREQTRADE_EXAMPLES names freqtrade's config_examples"
)
def test_freqtrades_own_examples_go_round(desk):
    """Each of them, with a key put in as freqtrade documents it: by a second file."""
    private = desk.bot / "keys" / "private.json"
    private.write_text(
        json.dumps({"exchange": {"key": API_KEY, "secret": SECRET}, "strategy": "SampleStrategy"})
    )
    files = sorted(Path(EXAMPLES).glob("config_*.json"))
    assert files
    for number, file in enumerate(files):
        target, base = f"example-{number}.yaml", f"example-{number}"
        options = ("--into", target, "--id", base, "--yes")
        assert desk.run("freqtrade", str(file), *options).returncode == 3, "its keys are placeholders"
        done = desk.run("freqtrade", str(file), str(private), *options)
        assert done.returncode == 0, done.stderr
        assert desk.site.run("validate", "-f", target, raw=True).returncode == 0
        desired = read([str(desk.site.root / target)])
        theirs = read_freqtrade([str(file), str(private)], Wishes(id=base))
        for item in theirs.items:
            there = getattr(desired, item.section)[item.id]
            assert all(str(getattr(there, name)) == item.fields[name] for name in item.identity)
        assert not any(strategy.enabled for strategy in desired.strategies.values())
        for keys in theirs.keys:
            opened = desk.opened(keys.id)
            assert opened == {**keys.binding, **{name: one.reveal() for name, one in keys.secrets.items()}}
        again = desk.run("freqtrade", str(file), str(private), *options)
        assert "Nothing was changed" in again.stderr


@pytest.mark.skipif(not HUMMINGBOT_EXAMPLES, reason="RECONCILER_TEST_HUMMINGBOT_EXAMPLES names its checkout")
def test_hummingbots_own_examples_are_all_accounted_for(desk, tmp_path):
    """Each becomes a strategy on a connection that is there, or is listed."""
    strategies = tmp_path / "hb" / "conf" / "strategies"
    strategies.mkdir(parents=True)
    (strategies.parent / "connectors").mkdir()
    checkout = Path(HUMMINGBOT_EXAMPLES)
    files = [*checkout.rglob("conf_*_strategy_TEMPLATE.yml"), *checkout.rglob("test_config.yml")]
    assert files
    for number, file in enumerate(files):
        (strategies / f"conf_{number}.yml").write_bytes(file.read_bytes())
    target = ("--into", "hb.yaml", "--connection", "binance=main", "--yes")
    connection = {"name": "Main", "exchange": "binance", "market": "spot"}
    connection["credentials"] = "secrets/m.sops.yaml"
    (desk.site.root / "hb.yaml").write_text(
        yaml.safe_dump({"version": 1, "connections": {"main": connection}})
    )
    (desk.site.root / "secrets" / "m.sops.yaml").write_text("connection: main\n")
    done = desk.run("hummingbot", str(strategies.parents[1]), *target)
    assert done.returncode == 0, done.stderr
    for number in range(len(files)):
        assert f"conf_{number}.yml" in done.stdout.split("not taken over")[1]
    taken = read([str(desk.site.root / "hb.yaml")]).strategies
    assert {strategy.connection for strategy in taken.values()} == {"main"}
    assert not any(strategy.enabled for strategy in taken.values())
