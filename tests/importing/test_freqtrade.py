"""A freqtrade configuration as a connection, a runtime and a strategy, and what stays behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.importing.freqtrade import Wishes, read
from reconciler.importing.freqtrade_files import MOST_FILES
from reconciler.model.errors import ConfigError
from reconciler.model.secret import Secret

KEY, SECRET, PASSWORD = "plantedFtKey0canary42", "9d8c7b6a-planted-ft-secret", "planted-Login-canary"


def found_in(*files: str, variables=(), **wishes):
    return read(files, Wishes(**wishes), variables=variables)


def item(found, section):
    return next((one for one in found.items if one.section == section), None)


def why(found, what):
    return [one.why for one in found.left if one.what == what]


def problems(*files: str, **wishes):
    with pytest.raises(ConfigError) as caught:
        found_in(*files, **wishes)
    return caught.value.problems


class TestWhatIsTaken:
    def test_all_of_a_usual_bot(self, bot, write):
        found = found_in(write(bot))
        assert {one.section: (one.id, dict(one.fields)) for one in found.items} == {
            "connections": (
                "grid-pilot-binance-spot",
                {"name": "Grid Pilot Binance Spot", "exchange": "binance", "market": "spot"},
            ),
            "runtimes": (
                "grid-pilot",
                {"type": "freqtrade", "url": "http://127.0.0.1:8089", "mode": "live"},
            ),
            "strategies": (
                "grid-pilot",
                {
                    "name": "Grid Pilot",
                    "connection": "grid-pilot-binance-spot",
                    "runtime": "grid-pilot",
                    "enabled": False,
                    "pairs": ["BTC/USDT", "ETH/USDT"],
                    "margin_limit": {"amount": "0.15", "currency": "USDT"},
                    "settings": {"strategy": "SampleStrategy"},
                },
            ),
        }
        assert {one.section: dict(one.secrets) for one in found.keys} == {
            "connections": {"api_key": Secret(KEY), "secret": Secret(SECRET)},
            "runtimes": {"username": Secret("reconciler"), "password": Secret(PASSWORD)},
        }
        assert found.hints == ()
        assert sorted(one.what for one in found.left) == ["timeframe", "tradable_balance_ratio"]
        assert {one.what for one in found.plain} == {"exchange.key", "exchange.secret", "api_server.password"}

    def test_importing_never_enables_whatever_the_bot_does(self, bot, write):
        found = found_in(write({**bot, "initial_state": "running", "dry_run": False}))
        assert item(found, "strategies").fields["enabled"] is False
        assert any("initial_state: stopped" in hint for hint in found.hints)

    @pytest.mark.parametrize(
        ("theirs", "ours"),
        [("gateio", "gate"), ("huobi", "htx"), ("KRAKEN", "kraken"), ("bitstamp", "bitstamp")],
    )
    def test_exchanges_by_their_name_here(self, bot, write, theirs, ours):
        bot["exchange"]["name"] = theirs
        assert item(found_in(write(bot)), "connections").fields["exchange"] == ours

    def test_futures_with_a_passphrase(self, bot, write):
        bot |= {"trading_mode": "futures", "margin_mode": "isolated", "dry_run": True}
        bot["exchange"] |= {
            "name": "okx",
            "password": " pass phrase ",
            "pair_whitelist": ["BTC/USDT:USDT", "X/Y"],
        }
        found = found_in(write(bot))
        assert item(found, "connections").fields["market"] == "futures"
        assert found.keys[0].secrets["passphrase"] == Secret(" pass phrase ")
        assert item(found, "runtimes").fields["mode"] == "dry_run"
        assert item(found, "strategies").fields["pairs"] == ["BTC/USDT:USDT"]
        assert why(found, "X/Y") == ["it is no futures pair, and the bot trades futures"]

    def test_the_key_is_the_one_that_freqtrade_signs_with(self, bot, write):
        bot["exchange"] |= {"api_key": "the-first-of-three", "apiKey": "the-second-of-three"}
        assert found_in(write(bot)).keys[0].secrets["api_key"] == Secret("the-first-of-three")

    def test_what_the_user_decides(self, bot, write):
        wishes = {"id": "mine", "url": "https://bots.example:8443", "egress": "bot-eu"}
        found = found_in(write(bot), **wishes)
        assert [one.id for one in found.items] == ["mine-binance-spot", "mine", "mine"]
        assert item(found, "connections").fields["egress"] == "bot-eu"
        assert found.keys[1].binding == {"runtime": "mine", "url": "https://bots.example:8443"}

    def test_a_login_is_taken_as_it_stands(self, bot, write):
        bot["api_server"]["password"] = " $ecret Pass "
        assert found_in(write(bot)).keys[1].secrets["password"] == Secret(" $ecret Pass ")

    def test_entries_that_are_there_already(self, bot, write):
        del bot["exchange"]["key"], bot["api_server"]
        found = found_in(write(bot), connection="main", runtime="paper")
        assert [(one.section, one.id, one.given) for one in found.items[:2]] == [
            ("connections", "main", True),
            ("runtimes", "paper", True),
        ]
        assert not found.keys
        strategy = item(found, "strategies").fields
        assert (strategy["connection"], strategy["runtime"]) == ("main", "paper")


class TestSeveralFiles:
    def test_a_later_one_wins_and_what_one_adds_loses_to_it(self, bot, write, tmp_path):
        write(
            {"exchange": {"key": KEY, "secret": "from-the-added-file"}, "stake_amount": 7}, "deep/keys.json"
        )
        write({"add_config_files": ["keys.json"], "exchange": {"secret": SECRET}}, "deep/private.json")
        bot["exchange"] |= {"key": "", "secret": ""}
        main = write({**bot, "add_config_files": ["deep/private.json"], "stake_amount": 10})
        last = write({"max_open_trades": 2}, "last.json")
        # A null or an empty text of the file itself wins over what it adds, too.
        assert {p.code for p in problems(main, last)} == {"no-key"}
        del bot["exchange"]["key"], bot["exchange"]["secret"]
        main = write({**bot, "add_config_files": ["deep/private.json"], "stake_amount": 10})
        found = found_in(main, last)
        assert found.keys[0].secrets == {"api_key": Secret(KEY), "secret": Secret(SECRET)}
        assert item(found, "strategies").fields["margin_limit"]["amount"] == "20"
        assert [Path(file).name for file in found.files] == [
            "config.json",
            "private.json",
            "keys.json",
            "last.json",
        ]
        places = {(Path(one.mark.file).name, one.what) for one in found.plain}
        assert {("keys.json", "exchange.key"), ("private.json", "exchange.secret")} <= places

    def test_a_circle_ends(self, bot, write):
        assert {p.code for p in problems(write({**bot, "add_config_files": ["config.json"]}))} == {
            "config-loop"
        }

    def test_a_tree_that_grows_sideways_ends(self, bot, write):
        names = ["config.json"] * 5000
        found = problems(write({**bot, "add_config_files": names}))
        assert {p.code for p in found} == {"config-loop", "too-many-files"}
        assert len(found) < 2 * MOST_FILES

    def test_no_more_files_are_read_than_any_bot_has(self, bot, write):
        for number in range(MOST_FILES):
            write({}, f"{number}.json")
        main = write({**bot, "add_config_files": [f"{number}.json" for number in range(MOST_FILES)]})
        assert [(p.code, p.mark.file) for p in problems(main)] == [("too-many-files", main)]

    def test_every_file_that_is_wrong_is_told_at_once(self, bot, write, tmp_path):
        (tmp_path / "broken.json").write_text('{\n"a": }')
        main = write({**bot, "add_config_files": ["missing.json", "broken.json"]})
        found = problems(main, "-", str(tmp_path / "none.json"))
        assert sorted(p.code for p in found) == ["bad-json", "standard-input", "unreadable", "unreadable"]

    @pytest.mark.parametrize("chain", ["keys.json", [1], [["a"]], {"a": "b"}])
    def test_a_chain_that_is_none(self, bot, write, chain):
        assert {p.code for p in problems(write({**bot, "add_config_files": chain}))} == {"bad-chain"}

    def test_variables_are_named_and_not_used(self, bot, write):
        variables = ["PATH", "FREQTRADE__EXCHANGE__KEY", "FREQTRADE__canary secret"]
        found = found_in(write(bot), variables=variables)
        assert why(found, "FREQTRADE__EXCHANGE__KEY")
        assert "canary secret" not in repr(found)
        assert found.keys[0].secrets["api_key"] == Secret(KEY)


class TestNoConnection:
    @pytest.mark.parametrize(
        "key", ["", "  ", "your_exchange_key", "${BINANCE_KEY}", "$KEY", "<key>", "{{ key }}", "xxxx", None]
    )
    def test_a_place_for_a_key_is_no_key_and_connect_is_named(self, bot, write, key):
        bot["exchange"]["key"] = key
        (problem,) = problems(write(bot))
        assert problem.code == "no-key"
        assert "--exchange binance --market spot --id grid-pilot-binance-spot" in problem.fix
        assert "--connection grid-pilot-binance-spot" in problem.fix

    @pytest.mark.parametrize("key", [f" {KEY}", f"{KEY}\n", f"{KEY}\u200b", 12345, [KEY], {"a": KEY}, "ключ"])
    def test_what_cannot_be_a_key(self, bot, write, key):
        bot["exchange"]["key"] = key
        (problem,) = problems(write(bot))
        assert problem.code == "bad-key"
        assert KEY not in str(problem)

    @pytest.mark.parametrize("place", ["ccxt_config", "ccxt_sync_config", "ccxt_async_config"])
    def test_a_key_that_ccxt_is_given_over_it(self, bot, write, place):
        bot["exchange"][place] = {"apiKey": "canaryOther", "secret": "canaryOther", "enableRateLimit": True}
        found = problems(write(bot))
        assert [problem.code for problem in found] == ["key-elsewhere", "key-elsewhere"]
        assert "canaryOther" not in str(found)

    @pytest.mark.parametrize(
        ("name", "says"),
        [("hyperliquid", "cannot be read"), ("mtgox", "cannot be read"), ("", "missing"), (7, "missing")],
    )
    def test_an_exchange_that_cannot_be_read(self, bot, write, name, says):
        bot["exchange"]["name"] = name
        (problem,) = problems(write(bot))
        assert says in problem.message

    def test_everything_wrong_is_told_at_once(self, bot, write):
        bot["trading_mode"] = "swap"
        bot["exchange"] |= {"key": "", "secret": f"{SECRET} "}
        assert sorted(p.code for p in problems(write(bot))) == ["bad-key", "no-key", "unknown-market"]

    @pytest.mark.parametrize("document", [{}, {"exchange": "binance"}, {"exchange": [1]}, {"a": {"b": {}}}])
    def test_what_is_no_bot(self, write, document):
        assert {p.code for p in problems(write(document))} == {"unreadable-exchange"}


class TestWhatStaysBehind:
    @pytest.mark.parametrize(
        ("pairlists", "reviewable"),
        [
            (None, True),
            ([{"method": "StaticPairList"}, {"method": "AgeFilter"}, {"method": "VolumePairList"}], True),
            ([{"method": "VolumePairList"}], False),
            ([{"method": "StaticPairList"}, {"method": "RemotePairList"}], False),
            ([{"method": "StaticPairList"}, {"method": "ProducerPairList"}], False),
            ([{"method": "AgeFilter"}], False),
            ([{"method": "canary-method"}], False),
            ([{}], False),
        ],
    )
    def test_a_bot_that_chooses_its_pairs_itself(self, bot, write, pairlists, reviewable):
        bot["pairlists"] = pairlists
        found = found_in(write(bot))
        assert (item(found, "strategies") is not None) is reviewable
        assert reviewable or any("chooses pairs by itself" in one.why for one in found.left)
        assert "canary" not in repr(found.left)

    def test_patterns_and_blacklists(self, bot, write):
        bot["exchange"] |= {
            "pair_whitelist": ["BTC/USDT", ".*/USDT", "BTC/USDT", 7],
            "pair_blacklist": ["BNB/.*"],
        }
        found = found_in(write(bot))
        assert item(found, "strategies").fields["pairs"] == ["BTC/USDT"]
        assert len(why(found, "an entry of exchange.pair_whitelist")) == 2
        assert why(found, "exchange.pair_blacklist")

    @pytest.mark.parametrize("whitelist", [[], None, [".*/USDT"], [f"A{n}/USDT" for n in range(1001)]])
    def test_no_pairs(self, bot, write, whitelist):
        bot["exchange"]["pair_whitelist"] = whitelist
        found = found_in(write(bot))
        assert item(found, "strategies") is None
        assert item(found, "connections") is not None

    @pytest.mark.parametrize(
        ("fields", "limit"),
        [
            ({"stake_amount": 10, "max_open_trades": 5}, "50"),
            ({"stake_amount": 0.1, "max_open_trades": 3.0}, "0.3"),
            ({"stake_amount": "unlimited"}, None),
            ({"max_open_trades": -1}, None),
            ({"max_open_trades": 0}, None),
            ({"stake_amount": 1e-17, "max_open_trades": 0.01}, None),
            ({"stake_amount": 10**19}, None),
            ({"stake_currency": "us dollars"}, None),
            ({"position_adjustment_enable": True}, None),
        ],
    )
    def test_a_margin_limit_only_where_one_follows(self, bot, write, fields, limit):
        found = found_in(write({**bot, **fields}))
        told = item(found, "strategies").fields.get("margin_limit")
        assert (told and told["amount"]) == limit
        assert bool(limit) or any("margin_limit" in one.why for one in found.left)

    @pytest.mark.parametrize("login", [{"username": ""}, {"password": "${PASSWORD}"}, {"password": "a\nb"}])
    def test_no_login_no_runtime(self, bot, write, login):
        bot["api_server"] |= login
        found = found_in(write(bot))
        assert item(found, "runtimes") is item(found, "strategies") is None
        assert why(found, "api_server")

    @pytest.mark.parametrize(
        ("api", "url", "left"),
        [
            ({}, "http://127.0.0.1:8080", False),
            ({"listen_ip_address": "10.0.0.7", "listen_port": 9000}, "http://127.0.0.1:9000", True),
            ({"listen_ip_address": "not an address"}, "http://127.0.0.1:8080", True),
            ({"listen_port": 70000}, "http://127.0.0.1:8080", False),
            ({"listen_port": 80.5}, "http://127.0.0.1:8080", False),
        ],
    )
    def test_where_the_api_is(self, bot, write, api, url, left):
        bot["api_server"] = {"enabled": True, "username": "a", "password": PASSWORD, **api}
        found = found_in(write(bot))
        assert item(found, "runtimes").fields["url"] == url
        assert bool(why(found, "api_server.listen_ip_address")) is left

    def test_secrets_in_other_places_are_told_by_place_and_not_by_name(self, bot, write):
        bot |= {
            "telegram": {"enabled": True, "token": "123:canaryTelegram", "chat_id": "4242"},
            "webhook": {"url": "https://hooks.example/canaryHook"},
            "db_url": "postgresql://u:canaryDb@db/x",
            "canaryKeyAsAName": {"canaryInner": {"api_key": "canaryValue", "password": "canaryValue2"}},
        }
        found = found_in(write(bot))
        told = {one.what for one in found.plain}
        assert {"telegram.token", "telegram.chat_id", "webhook.url", "db_url"} <= told
        assert "a field that is named as a secret" in told
        assert why(found, "a field that is not known")
        assert "canary" not in f"{found.left} {found.plain} {found.hints}".replace("canary_", "")

    def test_a_password_in_a_url_is_told_wherever_it_stands(self, bot, write):
        bot["exchange"]["ccxt_config"] = {
            "httpsProxy": "http://user:canaryProxy@proxy.example:3128",
            "wsProxy": "socks5://proxy.example:1080",
            "options": {"adjust": "a:b@c"},
        }
        found = found_in(write(bot))
        assert [one.what for one in found.plain].count("a url with a password") == 1
        assert "canaryProxy" not in repr(found)

    def test_every_field_within_a_section_is_accounted_for(self, bot, write):
        bot["exchange"] |= {"demo_trading": True, "sandbox": False, "enable_ws": False, "canaryName": "x"}
        bot["api_server"] |= {"ws_token": "plantedToken", "CORS_origins": []}
        found = found_in(write(bot))
        assert "demo" in why(found, "exchange.demo_trading")[0]
        assert why(found, "exchange.sandbox") == []
        assert why(found, "exchange.enable_ws") == why(found, "api_server.CORS_origins") != []
        assert why(found, "a field that is not known")
        assert "api_server.ws_token" in {one.what for one in found.plain}
        assert "canaryName" not in repr(found)

    def test_the_password_of_the_examples_is_told(self, bot, write):
        bot["api_server"]["password"] = "SuperSecurePassword"
        assert any("freqtrade's examples" in hint for hint in found_in(write(bot)).hints)

    def test_what_is_found_never_shows_a_secret(self, bot, write):
        shown = repr(found_in(write(bot)))
        assert not [one for one in (KEY, SECRET, PASSWORD) if one in shown]
