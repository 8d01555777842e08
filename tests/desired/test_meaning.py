"""What has the right shape but means nothing, or refers to nothing."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.desired import load
from reconciler.exchanges import registry
from reconciler.model.desired import Desired
from reconciler.model.errors import ConfigError, Problem

WINDOW = '{kind: deny, from: "24:00", to: "23:60", zone: Nowhere/UTC}'
APPROVAL = "allow: enable, count: 3, reason: r, approved_by: b, until: {}"


def waiver(
    check: str = "x", connection: str = "mexc-spot-main", until: str = "2026-12-31"
) -> tuple[str, str]:
    """A change that adds one waiver, on line 12."""
    fields = f"until: {until}, check: {check}, connection: {connection}, reason: r, approved_by: b"
    return "runtimes:", f"waivers: [{{{fields}}}]\nruntimes:"


ENC = '"ENC[AES256_GCM,data:Zm9v,iv:YmFy,tag:YmF6,type:str]"'
OTHER = "  other:\n    name: Other\n    exchange: mexc\n    market: spot\n"
SECRET = "secrets/mexc-spot-main.sops.yaml"
CANARY = "c4narySecret"


def change(sound: str, *changes: tuple[str, str]) -> str:
    for old, new in changes:
        assert old in sound
        sound = sound.replace(old, new)
    return sound


#: Changes to the sound configuration, and line, column, code of what comes of them.
MEANINGS = {
    "egress of nobody": ([("egress: bot-eu", "egress: bot-us")], [(9, 13, "dangling-reference")]),
    "connection of nobody": ([("connection: mexc", "connection: mxc")], [(17, 17, "dangling-reference")]),
    "runtime of nobody": ([("runtime: paper", "runtime: pap")], [(18, 14, "dangling-reference")]),
    "unknown exchange": ([("exchange: mexc", "exchange: mexx")], [(7, 15, "unknown-exchange")]),
    "host bits": ([("203.0.113.10]", "203.0.113.10/24]")], [(3, 24, "bad-value")]),
    "no address": ([("203.0.113.10]", "203.0.113.256]")], [(3, 24, "bad-value")]),
    "leading zero": ([("203.0.113.10]", "203.0.113.010]")], [(3, 24, "bad-value")]),
    "all addresses": ([("203.0.113.10]", "0.0.0.0/0]")], [(3, 24, "bad-value")]),
    "ipv6 among ipv4": ([("203.0.113.10]", '203.0.113.10, "2001:db8::1"]')], [(3, 38, "bad-value")]),
    "ipv4 among ipv6": ([("10]}", "10], family: ipv6}")], [(3, 24, "bad-value")]),
    "mapped": ([("[203.0.113.10]", '["::ffff:203.0.113.10"], family: ipv6')], [(3, 24, "bad-value")]),
    "port 0": ([("10]}", '10], proxy: "http://h:0"}')], [(3, 46, "bad-value")]),
    "port 65536": ([("10]}", '10], proxy: "http://h:65536"}')], [(3, 46, "bad-value")]),
    "eleven years": ([("runtimes:", "policy: {max_key_age: 4000d}\nruntimes:")], [(12, 23, "bad-value")]),
    "policy of nothing": (
        [("runtimes:", 'policy: {max_margin_limit: {amount: "0", currency: USDT}}\nruntimes:')],
        [(12, 37, "bad-value")],
    ),
    "policy of less than an order": (
        [("runtimes:", 'policy: {max_averaging_factor: "0.99"}\nruntimes:')],
        [(12, 32, "bad-value")],
    ),
    "spot pair on futures": (
        [("market: spot", "market: futures")],
        [(20, 13, "wrong-market"), (20, 23, "wrong-market")],
    ),
    "futures pair on spot": ([("ETH/USDT]", "ETH/USDT:USDT]")], [(20, 23, "wrong-market")]),
    "futures pair on margin": (
        [("market: spot", "market: margin"), ("ETH/USDT]", "ETH/USDT:USDT]")],
        [(20, 23, "wrong-market")],
    ),
    "amount zero": (
        [("    enabled: true", '    enabled: true\n    margin_limit: {amount: "0.00", currency: USDT}')],
        [(20, 28, "bad-value")],
    ),
    "step over 100": (
        [
            (
                "    enabled: true",
                '    enabled: true\n    averaging: {step: "101%", multiplier: "0", max_additions: 1}',
            )
        ],
        [(20, 23, "bad-value"), (20, 43, "bad-value")],
    ),
    "drawdown zero": (
        [("    enabled: true", '    enabled: true\n    recovery_mode: {enabled: true, max_drawdown: "0%"}')],
        [(20, 50, "bad-value")],
    ),
    "attested on no day": (
        [("    market: spot", "    market: spot\n    attestations: {two_factor: {by: me, on: 2026-02-30}}")],
        [(9, 45, "bad-value")],
    ),
    "waiver until no day": ([waiver(until="2026-13-01")], [(12, 19, "bad-value")]),
    "approval until no day": (
        [("runtimes:", f"approvals: [{{{APPROVAL.format('2026-02-30')}}}]\nruntimes:")],
        [(12, 73, "bad-value")],
    ),
    "suspended until no day": (
        [("    market: spot", "    market: spot\n    suspend: {reason: r, until: 2026-02-30}")],
        [(9, 33, "bad-value")],
    ),
    "all suspended until no day": (
        [("runtimes:", "suspend: {reason: r, until: 2026-02-30}\nruntimes:")],
        [(12, 29, "bad-value")],
    ),
    "a window at no time, in no zone": (
        [("runtimes:", f"policy: {{windows: [{WINDOW}]}}\nruntimes:")],
        [(12, 39, "bad-value"), (12, 52, "bad-value"), (12, 67, "bad-value")],
    ),
    "more than all of them": (
        [("runtimes:", 'policy: {thresholds: {disable: {percent: "101%"}}}\nruntimes:')],
        [(12, 42, "bad-value")],
    ),
    "waiver for nobody": ([waiver(connection="nobody")], [(12, 53, "dangling-reference")]),
    "waiver for withdraw-enabled": ([waiver(check="withdraw-enabled")], [(12, 38, "not-waivable")]),
    "secret in settings": (
        [
            (
                "    enabled: true",
                f"    enabled: true\n    settings: {{a: [{{api-key: {CANARY}}}], secret: {CANARY}}}",
            )
        ],
        [(20, 21, "plaintext-secret"), (20, 46, "plaintext-secret")],
    ),
    "a secret among the arguments": (
        [
            (
                "type: ledger",
                f"type: command, command: [/x, -v, --api-token={CANARY}, --password, --token-file=/y]",
            )
        ],
        [(13, 44, "plaintext-secret"), (13, 70, "plaintext-secret")],
    ),
    "no secret file": ([(SECRET, "secrets/gone.sops.yaml")], [(11, 18, "secret-missing")]),
    "secret is a folder": ([(SECRET, "secrets/../secrets/.yaml")], [(11, 18, "secret-missing")]),
    "secret above": ([(SECRET, "../x.sops.yaml")], [(11, 18, "outside-tree")]),
    "secret above by detour": ([(SECRET, "secrets/../../x.sops.yaml")], [(11, 18, "outside-tree")]),
    "inline without sops": (
        [(SECRET, f"{{api_key: {ENC}, secret: {ENC}}}")],
        [(11, 18, "no-sops-block")],
    ),
    "inline without passphrase": (
        [
            (SECRET, f"{{api_key: {ENC}, secret: {ENC}}}"),
            ("exchange: mexc", "exchange: kucoin"),
            ("runtimes:", "sops: {}\nruntimes:"),
        ],
        [(11, 18, "credential-fields")],
    ),
    "inline with a passphrase too many": (
        [
            (SECRET, f"{{api_key: {ENC}, secret: {ENC}, passphrase: {ENC}}}"),
            ("runtimes:", "sops: {}\nruntimes:"),
        ],
        [(11, 18, "credential-fields")],
    ),
    "inline on an unknown exchange": (
        [
            (SECRET, f"{{api_key: {ENC}, secret: {ENC}}}"),
            ("exchange: mexc", "exchange: nosuch"),
            ("runtimes:", "sops: {}\nruntimes:"),
        ],
        [(7, 15, "unknown-exchange")],
    ),
}


@pytest.mark.parametrize(("changes", "expected"), MEANINGS.values(), ids=MEANINGS)
def test_what_means_nothing_is_refused_at_its_place(sound, places, changes, expected):
    assert places(change(sound, *changes)) == expected


@pytest.mark.parametrize("changes", [changes for changes, _ in MEANINGS.values()], ids=MEANINGS)
def test_no_value_of_the_file_is_shown(sound, problems, changes):
    text = "\n".join(p.message + p.fix for p in problems(change(sound, *changes)))
    assert CANARY not in text
    assert "Zm9v" not in text


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        *((name, True) for name in ("secretKey", "privateKey", "accessToken", "jwt_secret_key", "ws_token")),
        *((name, True) for name in ("telegram-bot-token", "client_secret", "okx_passphrase", "db_passwd")),
        *((name, False) for name in ("base_token", "timeframe", "key_levels", "secretary")),
    ],
)
def test_settings_take_no_secret_under_any_usual_name(sound, write, name, secret):
    text = change(sound, ("    enabled: true", f"    enabled: true\n    settings: {{{name}: {CANARY}}}"))
    found = outcome(write(text))
    assert (isinstance(found, tuple) and [p.code for p in found] == ["plaintext-secret"]) is secret
    assert CANARY not in (str(found) if secret else "")


def test_a_setting_that_is_on_or_off_is_no_secret(sound, desired):
    assert desired(
        change(sound, ("    enabled: true", "    enabled: true\n    settings: {use_password: true}"))
    )


def test_a_webhook_of_another_machine_is_not_sent_to_in_clear(sound, write, problems):
    write("", "secrets/h.sops.yaml")
    hook = "type: webhook, credentials: secrets/h.sops.yaml, url: http://bots.example"
    (problem,) = problems(change(sound, ("type: ledger", hook)))
    assert problem.code == "insecure-http"


def test_a_reference_suggests_the_nearest_id(sound, problems):
    (problem,) = problems(change(sound, ("runtime: paper", "runtime: papr")))
    assert problem.message == "strategies.btc-eth.runtime: no such id under `runtimes`; did you mean `paper`?"


def test_an_unknown_exchange_names_the_nearest(sound, problems):
    (problem,) = problems(change(sound, ("exchange: mexc", "exchange: kukoin")))
    assert "did you mean `kucoin`?" in problem.message
    assert len(registry.ids()) > 12 or "mexc" in problem.message


def test_a_reference_to_something_broken_does_not_dangle(sound, places):
    text = change(sound, ("type: ledger", "type: nothing"), ("203.0.113.10", "203.0.113.999"))
    assert [code for *_, code in places(text)] == ["bad-value", "wrong-value"]


def test_references_are_not_judged_while_a_file_cannot_be_read(tmp_path, write, sound):
    write(change(sound, ("runtimes:\n  paper: {type: ledger}\n", "")))
    write("version: 1\nruntimes: [\n", "runtimes.yaml")
    with pytest.raises(ConfigError) as caught:
        load([tmp_path])
    assert [p.code for p in caught.value.problems] == ["yaml-syntax"]


def test_references_reach_over_files(tmp_path, write, sound):
    write(change(sound, ("runtimes:\n  paper: {type: ledger}\n", "")))
    write("version: 1\nruntimes:\n  paper: {type: ledger}\n", "runtimes.yaml")
    assert load([tmp_path]).strategies["btc-eth"].runtime == "paper"


def test_two_connections_never_share_a_secret_file(tmp_path, write, sound, problems):
    second = (
        f"  other:\n    name: O\n    exchange: mexc\n    market: spot\n    credentials: secrets/../{SECRET}\n"
    )
    found = problems(change(sound, ("runtimes:", f"{second}runtimes:")))
    assert [(p.mark.line, p.code) for p in found] == [(16, "secret-file-shared")]
    assert f"{tmp_path}/connections.yaml:11:5" in found[0].message


def test_two_connections_never_share_a_secret_file_by_a_link(tmp_path, write, sound):
    write(sound)
    (tmp_path / "secrets" / "alias.sops.yaml").symlink_to("mexc-spot-main.sops.yaml")
    second = OTHER + "    credentials: secrets/alias.sops.yaml\n"
    path = write(change(sound, ("runtimes:", f"{second}runtimes:")))
    with pytest.raises(ConfigError) as caught:
        load([path])
    assert [p.code for p in caught.value.problems] == ["secret-file-shared"]


@pytest.mark.parametrize("linked", ["file", "folder"])
def test_a_secret_file_never_lies_behind_a_link_out_of_the_tree(tmp_path, write, sound, linked):
    path = write(change(sound, (SECRET, "hidden/x.sops.yaml")), "tree/connections.yaml")
    outside = write("", "outside/x.sops.yaml")
    if linked == "folder":
        (tmp_path / "tree" / "hidden").symlink_to(outside.parent)
    else:
        (tmp_path / "tree" / "hidden").mkdir()
        (tmp_path / "tree" / "hidden" / "x.sops.yaml").symlink_to(outside)
    with pytest.raises(ConfigError) as caught:
        load([path])
    assert [p.code for p in caught.value.problems] == ["outside-tree"]


def test_in_a_folder_a_secret_may_lie_anywhere_below(tmp_path, write, sound):
    write(change(sound, (SECRET, "../../" + SECRET)), "teams/a/connections.yaml")
    desired = load([tmp_path])
    assert desired.connections["mexc-spot-main"].credentials.file == str(tmp_path / SECRET)


def outcome(path: Path) -> Desired | tuple[Problem, ...]:
    """What a file amounts to: the model, or problems, and never anything else."""
    try:
        return load([path])
    except ConfigError as error:
        return error.problems


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_configuration_or_an_error_of_ours(write, data):
    path = write(data)
    assert isinstance(outcome(path), Desired | tuple)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_a_torn_configuration_is_a_configuration_or_an_error_of_ours(write, sound, data):
    start = data.draw(st.integers(0, len(sound)))
    end = data.draw(st.integers(start, len(sound)))
    filling = data.draw(
        st.sampled_from(["", "[", "{", "x", ": ", "null", "\n", "- ", '"', "1", "true", "{}", "[]"])
    )
    path = write(sound[:start] + filling + sound[end:])
    found = outcome(path)
    assert isinstance(found, Desired) or all(p.mark.line >= 1 and p.message and p.fix for p in found)


POSITIONS = [
    ("    credentials: " + SECRET, "    credentials: {value}"),
    (
        "    credentials: " + SECRET,
        "    credentials: {{api_key: {value}, secret: {value}, passphrase: {value}}}",
    ),
    ("    credentials: " + SECRET, "    credentials: [{value}]"),
    ("    credentials: " + SECRET, "    credentials: {{{value}}}"),
    ("    market: spot", "    market: spot\n    api_key: {value}\n    secret: {value}"),
    ("    market: spot", "    market: {value}"),
    ("    exchange: mexc", "    exchange: {value}"),
    ("    egress: bot-eu", "    egress: {value}"),
    ("    pairs: [BTC/USDT, ETH/USDT]", "    pairs: [{value}]"),
    ("version: 1", "version: 1\nsecret: {value}"),
    ("version: 1", "{value}"),
    ("runtimes:", "? {value}\nruntimes:"),
    ("  paper: {type: ledger}", "  paper: {{type: {value}}}"),
    ("  paper: {type: ledger}", "  paper: {value}"),
]


@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    position=st.sampled_from(POSITIONS),
    broken=st.sampled_from(["", " x: y: z", " [", '"', "\t", " &a", " !!str"]),
    quote=st.sampled_from(["", '"', "'"]),
)
def test_a_canary_in_any_position_is_never_shown(write, sound, position, broken, quote):
    old, new = position
    value = f"{quote}{CANARY}.{quote}{broken}"
    path = write(change(sound, (old, new.format(value=value))))
    with pytest.raises(ConfigError) as caught:
        load([path])
    shown = "\n".join(p.message + p.fix for p in caught.value.problems)
    assert CANARY not in shown + str(caught.value) + repr(caught.value)


def test_thousands_of_connections_take_seconds(tmp_path, write, sound):
    write(sound)
    head = sound.partition("  mexc-spot-main:")[0]
    count = 2000
    entries = "".join(
        OTHER.replace("other", f"c{n}") + f"    credentials: secrets/c{n}.sops.yaml\n" for n in range(count)
    )
    for n in range(count):
        (tmp_path / "secrets" / f"c{n}.sops.yaml").touch()
    path = write(head + entries)
    began = time.process_time()
    assert len(load([path]).connections) == count
    assert time.process_time() - began < 4  # a tenth of that on an idle machine


def test_any_exchange_that_ccxt_can_read_is_known(write, sound):
    path = write(change(sound, ("exchange: mexc", "exchange: bitstamp")))
    assert load([path]).connections["mexc-spot-main"].exchange == "bitstamp"


@pytest.mark.parametrize(
    ("name", "says"),
    [("hyperliquid", "privateKey"), ("binanceusdm", "`binance`"), ("indodax", "no single signed read")],
)
def test_an_exchange_that_cannot_be_read_says_why(sound, problems, name, says):
    (problem,) = (
        p for p in problems(change(sound, ("exchange: mexc", f"exchange: {name}"))) if "exchange" in p.code
    )
    assert problem.code == "unreadable-exchange"
    assert says in problem.message
