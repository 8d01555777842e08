"""Folders of Hummingbot as connections and strategies, and what stays behind."""

from __future__ import annotations

import os

import pytest
from hummingbot_files import AVELLANEDA, PASSWORD, PMM, VALUES, Client, keystore

from reconciler.exchanges import registry
from reconciler.importing.hummingbot import Wishes, read
from reconciler.importing.hummingbot_connectors import CONNECTORS, connector
from reconciler.importing.hummingbot_folder import locate
from reconciler.importing.node import MOST
from reconciler.importing.reading import LIMIT
from reconciler.model.errors import ConfigError, UsageError
from reconciler.model.secret import Secret


@pytest.fixture
def client(tmp_path) -> Client:
    made = Client(tmp_path / "hb")
    made.connector("binance_perpetual", "binance_perpetual")
    made.connector("kucoin", "kucoin", "secret_key", passphrase=True)
    made.verified()
    made.write("controllers", "pmm_simple_1.yml", PMM)
    made.write("strategies", "conf_avellaneda_1.yml", AVELLANEDA)
    return made


def found_in(client, *, password: str | None = PASSWORD, account: str | None = None, **wishes):
    secret = Secret(password) if password is not None else None
    return read(locate(client.root, account=account), Wishes(**wishes), password=secret)


def problems(client, **more):
    with pytest.raises(ConfigError) as caught:
        found_in(client, **more)
    return caught.value.problems


def of(found, section):
    return {one.id: dict(one.fields) for one in found.items if one.section == section}


def why(found, what):
    return " ".join(one.why for one in found.left if one.what == what)


class TestAClient:
    def test_all_of_it(self, client):
        found = found_in(client)
        assert of(found, "connections") == {
            "hummingbot-binance-perpetual": {
                "name": "Hummingbot Binance Perpetual",
                "exchange": "binance",
                "market": "futures",
            },
            "hummingbot-kucoin": {"name": "Hummingbot KuCoin", "exchange": "kucoin", "market": "spot"},
        }
        assert of(found, "runtimes") == {"hummingbot": {"type": "ledger"}}
        assert of(found, "strategies") == {
            "hummingbot-pmm-simple-1": {
                "name": "Hummingbot Pmm Simple 1",
                "connection": "hummingbot-binance-perpetual",
                "runtime": "hummingbot",
                "enabled": False,
                "pairs": ["WLD/USDT:USDT"],
                "margin_limit": {"amount": "100.5", "currency": "USDT"},
                "settings": {"controller": "pmm_simple_1"},
            },
            "hummingbot-avellaneda-1": {
                "name": "Hummingbot Avellaneda 1",
                "connection": "hummingbot-kucoin",
                "runtime": "hummingbot",
                "enabled": False,
                "pairs": ["BTC/USDT"],
                "settings": {"file": "conf_avellaneda_1"},
            },
        }
        held = {name: Secret(value) for name, value in VALUES.items()}
        assert dict(found.keys[1].secrets) == held
        assert dict(found.keys[0].secrets) == {name: held[name] for name in ("api_key", "secret")}
        assert found.keys[1].binding == {"connection": "hummingbot-kucoin", "exchange": "kucoin"}
        assert "gate" in found.hints[0]

    def test_without_a_password_connect_is_named(self, client):
        found = found_in(client, password=None)
        assert (found.items, found.keys) == ((), ())
        assert "reconcile connect --exchange kucoin --market spot --id hummingbot-kucoin" in why(
            found, "kucoin"
        )
        assert "no connection for kucoin" in why(found, "strategies: conf_avellaneda_1.yml")

    def test_without_a_password_on_connections_that_are_there(self, client):
        there = frozenset({"hummingbot-kucoin"})
        found = found_in(client, password=None, there=there, connections={"binance_perpetual": "main"})
        assert [one.id for one in found.items if one.given] == ["main", "hummingbot-kucoin"]
        assert {s["connection"] for s in of(found, "strategies").values()} == {"main", "hummingbot-kucoin"}

    def test_what_the_user_decides(self, client):
        found = found_in(client, id="hb", runtime="hb-eu", bot="mm-1", egress="bot-eu")
        assert set(of(found, "connections")) == {"hb-binance-perpetual", "hb-kucoin"}
        assert {fields["egress"] for fields in of(found, "connections").values()} == {"bot-eu"}
        assert of(found, "strategies")["hb-pmm-simple-1"]["settings"] == {
            "bot": "mm-1",
            "controller": "pmm_simple_1",
        }
        assert of(found, "strategies")["hb-avellaneda-1"]["settings"] == {"bot": "mm-1"}
        assert [(one.id, one.given) for one in found.items if one.section == "runtimes"] == [("hb-eu", True)]
        assert found.hints == ()

    def test_the_folder_conf_itself_will_do(self, client):
        again = locate(client.root / "conf", account=None)
        assert len(read(again, Wishes(), password=Secret(PASSWORD)).items) == 5

    def test_two_files_of_one_name_are_two_strategies(self, client):
        client.write("scripts", "conf_avellaneda_1.yml", {**AVELLANEDA, "market": "ETH-USDT"})
        ids = set(of(found_in(client), "strategies"))
        assert {"hummingbot-avellaneda-1", "hummingbot-avellaneda-1-2"} <= ids

    def test_what_is_found_never_shows_a_secret(self, client):
        shown = repr(found_in(client))
        assert not [value for value in (*VALUES.values(), PASSWORD) if value in shown]


class TestAnApi:
    def api(self, tmp_path, *accounts: str) -> Client:
        for account in accounts:
            made = Client(tmp_path / "api", conf="bots/conf", keys=f"bots/credentials/{account}")
            made.connector("okx", "okx", "secret_key", passphrase=True)
        made.write("controllers", "grid.yml", {**PMM, "connector_name": "okx", "trading_pair": "BTC-USDT"})
        return made

    def test_one_account(self, tmp_path):
        found = found_in(self.api(tmp_path, "master_account"))
        assert set(of(found, "connections")) == {"hummingbot-okx"}
        assert of(found, "strategies")["hummingbot-grid"]["pairs"] == ["BTC/USDT"]

    def test_one_of_several_accounts_must_be_chosen(self, tmp_path):
        made = self.api(tmp_path, "master_account", "Second Account")
        with pytest.raises(UsageError) as caught:
            found_in(made)
        assert "--account Second Account or master_account" in caught.value.hint
        assert set(of(found_in(made, account="Second Account"), "connections")) == {"second-account-okx"}
        with pytest.raises(UsageError):
            found_in(made, account="third")

    def test_the_word_of_the_master_account_holds_for_all(self, tmp_path):
        made = self.api(tmp_path, "master_account", "second")
        word = tmp_path / "api/bots/credentials/master_account/.password_verification"
        word.write_text(keystore("HummingBot"))
        (problem,) = problems(made, account="second", password="wrong")
        assert problem.mark.file == str(word)


class TestPasswords:
    def test_a_wrong_one_is_found_by_hummingbots_word(self, client):
        (problem,) = problems(client, password="wrong-canary")
        assert problem.code == "wrong-password"
        assert "wrong-canary" not in str(problem)

    def test_or_by_each_key_where_there_is_no_word(self, client):
        (client.keys / ".password_verification").unlink()
        assert [problem.code for problem in problems(client, password="wrong")] == ["wrong-password"] * 5

    def test_a_key_in_clear_is_told_and_not_quoted(self, client):
        path = client.write(
            "connectors",
            "mexc.yml",
            {"connector": "mexc", "mexc_api_key": VALUES["api_key"], "mexc_api_secret": ""},
        )
        found = problems(client)
        assert [problem.code for problem in found] == ["not-encrypted", "not-encrypted"]
        assert {problem.mark.file for problem in found} == {str(path)}
        assert VALUES["api_key"] not in str(found)

    def test_what_cannot_be_a_key(self, client):
        fields = {"mexc_api_key": keystore("key with\nlines"), "mexc_api_secret": keystore("s3cret")}
        client.write("connectors", "mexc.yml", {"connector": "mexc", **fields})
        (problem,) = problems(client)
        assert (problem.code, problem.mark.line) == ("bad-key", 2)


class TestConnectors:
    @pytest.mark.parametrize("name", sorted(CONNECTORS))
    def test_each_is_an_exchange_that_can_be_read(self, name):
        found = connector(name)
        assert found is not None
        assert tuple(ours for ours, _ in found.fields) == registry.get(found.exchange).credentials
        assert found.market == ("futures" if name.endswith("_perpetual") else "spot")
        assert all(theirs.startswith(CONNECTORS[name][1]) for _, theirs in found.fields)

    @pytest.mark.parametrize(
        "name", ["hyperliquid_perpetual", "binance_perpetual_testnet", "binance_paper_trade", "", "x\x1b[2J"]
    )
    def test_others_are_listed_with_what_trades_on_them(self, tmp_path, name):
        made = Client(tmp_path / "hb")
        made.write("connectors", "one.yml", {"connector": name, "api_key": "canary"})
        made.write("controllers", "one.yml", {**PMM, "connector_name": name})
        found = found_in(made)
        assert found.items == ()
        assert len(found.left) == 2
        assert "\x1b" not in repr(found.left)

    def test_one_that_stands_twice_is_told(self, client):
        path = client.keys / "connectors" / "kucoin.yml"
        (path.parent / "kucoin (copy).yml").write_bytes(path.read_bytes())
        (problem,) = problems(client)
        assert problem.code == "duplicate-connector"

    def test_one_that_stands_twice_is_opened_once_whatever_comes_of_it(self, client):
        """A thousand files of one connector would cost a thousand times what a key may cost to open."""
        foreign = {"mexc_api_key": keystore("x", salt="00"), "mexc_api_secret": keystore("x", salt="00")}
        for name in ("a.yml", "b.yml", "c.yml"):
            client.write("connectors", name, {"connector": "mexc", **foreign})
        codes = [problem.code for problem in problems(client)]
        assert codes == ["wrong-password"] * 2 + ["duplicate-connector"] * 2

    def test_fields_beyond_the_key_are_listed_by_name_only_where_it_is_known(self, client):
        path = client.keys / "connectors" / "kucoin.yml"
        path.write_text(path.read_text() + "kucoin_user_id: 1\nplantedHbKey0canary42: 1\n")
        found = found_in(client)
        assert why(found, "kucoin_user_id")
        assert why(found, "a field that is not known")


class TestWhatTradesWhere:
    def told(self, client, document, kind="controllers"):
        for path in (client.conf / kind).glob("*"):
            path.unlink()
        client.write(kind, "one.yml", document)
        found = found_in(client)
        mine = [s for s in found.items if s.section == "strategies" and s.mark.file.endswith("one.yml")]
        return (mine[0].fields["pairs"] if mine else None), why(found, f"{kind}: one.yml")

    @pytest.mark.parametrize(
        ("document", "pairs"),
        [
            ({"exchange": "kucoin", "market": "BTC-USDT"}, ["BTC/USDT"]),
            ({"derivative": "binance_perpetual", "market": "BTC-USDT"}, ["BTC/USDT:USDT"]),
            ({"connector_name": "kucoin", "trading_pairs": ["A-USDT", "B-USDT"]}, ["A/USDT", "B/USDT"]),
            ({"exchange": "kucoin", "markets": "A-USDT, B-USDT", "token": "USDT"}, ["A/USDT", "B/USDT"]),
            (
                {
                    "one": {"connector_name": "kucoin", "trading_pair": "A-USDT"},
                    "two": {"connector_name": "kucoin", "trading_pair": "B-USDT"},
                },
                ["A/USDT", "B/USDT"],
            ),
            (
                {"connector_name": "kucoin", "trading_pair": "A-USDT", "candles_connector": "binance"},
                ["A/USDT"],
            ),
            ({"maker_market": "kucoin", "maker_market_trading_pair": "A-USDT"}, ["A/USDT"]),
        ],
    )
    def test_one_connection(self, client, document, pairs):
        assert self.told(client, document) == (pairs, "how it trades stays in this file of Hummingbot's")

    @pytest.mark.parametrize(
        ("document", "says"),
        [
            (
                {"maker_connector": "kucoin", "maker_trading_pair": "A-B", "taker_connector": "okx"},
                "more than one",
            ),
            ({"exchange": "kucoin", "market": "A-B", "hedge_connector": "okx"}, "more than one"),
            ({"a": [{"connector": "kucoin"}, {"connector": "okx"}]}, "more than one"),
            ({"connector_name": "kucoin", "portfolio_allocation": {"SOL": 0.5}}, "not every pair"),
            ({"connector_name": "kucoin", "trading_pair": "btc/usdt"}, "not every pair"),
            ({"connector_name": "kucoin", "trading_pairs": ["A-B", None]}, "not every pair"),
            ({"strategy": None, "exchange": None, "market": None}, "no connector"),
            ({}, "no connector"),
            ({"exchange": "mexc", "market": "A-B"}, "no connection for mexc"),
        ],
    )
    def test_no_strategy_where_one_connection_does_not_follow(self, client, document, says):
        pairs, told = self.told(client, document)
        assert pairs is None
        assert says in told

    def test_a_script_of_controllers_is_what_they_are(self, client):
        document = {"script_file_name": "v2_with_controllers.py", "controllers_config": ["pmm_simple_1.yml"]}
        assert self.told(client, document, "scripts")[0] is None

    @pytest.mark.parametrize("total", ["-1", "0", ".nan", "1e99", "much", None, [1]])
    def test_no_margin_limit_that_does_not_follow(self, client, total):
        client.write("controllers", "pmm_simple_1.yml", {**PMM, "total_amount_quote": total})
        found = found_in(client)
        assert "margin_limit" not in of(found, "strategies")["hummingbot-pmm-simple-1"]
        assert "margin_limit" in why(found, "controllers: total_amount_quote")


class TestRubbish:
    def test_every_file_is_told_at_once(self, client, tmp_path):
        for number, text in enumerate(
            ("a: [", "\x00", "- 1", "a: &x 1\nb: *x", "[" * 5000, "a:\n" + " b:\n" * 3)
        ):
            client.write("controllers", f"bad-{number}.yml", text)
        client.write("controllers", "large.yml", "#" * (LIMIT + 1))
        os.mkfifo(client.conf / "controllers" / "pipe.yml")
        found = problems(client)
        assert len(found) >= 7
        assert {"bad-yaml", "not-text", "not-a-mapping", "alias", "special-file", "too-large"} <= {
            problem.code for problem in found
        }

    def test_more_values_than_any_configuration_has(self, client):
        client.write("controllers", "many.yml", "a: [" + "1," * MOST + "1]")
        (problem,) = problems(client)
        assert (problem.code, "values" in problem.message) == ("too-large", True)

    @pytest.mark.parametrize("kind", ["connectors", "strategies", "controllers"])
    def test_no_link_leads_out_of_the_folder(self, client, tmp_path, kind):
        outside = tmp_path / "outside.yml"
        outside.write_text("connector: mexc\nmexc_api_key: canary\n")
        folder = client.keys / kind
        folder.mkdir(exist_ok=True)
        (folder / "link.yml").symlink_to(outside)
        (problem,) = problems(client)
        assert problem.code == "outside-tree"

    def test_a_password_word_that_is_a_link_out_is_refused(self, client, tmp_path):
        word = client.keys / ".password_verification"
        word.rename(tmp_path / "word")
        word.symlink_to(tmp_path / "word")
        assert [problem.code for problem in problems(client)] == ["outside-tree"]

    def test_a_folder_whose_name_the_system_refuses(self, tmp_path):
        with pytest.raises(UsageError, match="cannot be read: file name too long"):
            locate(tmp_path / ("x" * 300), account=None)

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    @pytest.mark.parametrize("name", [".", "conf", "conf/connectors", "conf/controllers"])
    def test_a_folder_of_another_user(self, client, name):
        """Containers of Hummingbot write as root, so this is what many see first."""
        shut = client.root / name
        before = shut.stat().st_mode
        shut.chmod(0)
        try:
            with pytest.raises(UsageError, match="cannot be read: permission denied") as caught:
                found_in(client)
        finally:
            shut.chmod(before)
        assert "user" in caught.value.hint

    @pytest.mark.parametrize("name", ["", "missing", "file"])
    def test_what_is_no_folder_of_hummingbot(self, tmp_path, name):
        (tmp_path / "file").write_text("x")
        with pytest.raises(UsageError, match="no folder of Hummingbot"):
            locate(tmp_path / name, account=None)
        with pytest.raises(UsageError, match="--account"):
            locate(tmp_path / name, account="x")
