"""Keys are found in whatever syntax they stand, told without being quoted, and little else is found."""

from __future__ import annotations

import json

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from reconciler.exchanges import registry
from reconciler.resources import folder
from reconciler.secrets import lookalike
from reconciler.secrets.lookalike import MARKER, Lookalike, lookalikes

KEY = b"0123456789abcdef"
FIELDS = [(exchange, name) for exchange in registry.ids() for name in registry.get(exchange).credentials]

#: Every syntax that configuration and code of trading bots is written in; ``¶`` is where the value begins.
SYNTAXES = {
    "yaml": "exchange: x\n  {name}: ¶{value}\n",
    "yaml-quoted": '{name}: "¶{value}"\n',
    "yaml-comment": "{name}: ¶{value} # mine\n",
    "yaml-list": "- {name}: ¶{value}\n",
    "yaml-tag": "{name}: !!str ¶{value}\n",
    "yaml-block": "{name}: |\n    ¶{value}\n",
    "yaml-flow": "{{{name}: ¶{value}, other: 1}}\n",
    "yaml-crlf": "a: 1\r\n{name}: ¶{value}\r\n",
    "json": '{{\n  "{name}": "¶{value}",\n  "x": 1\n}}\n',
    "json-dense": '{{"x":1,"{name}":"¶{value}"}}',
    "json-in-a-string": '"{{\\"{name}\\": \\"¶{value}\\"}}"\n',
    "toml": '[exchange]\n{name} = "¶{value}"\n',
    "ini": "[exchange]\n{name}=¶{value}\n",
    "dotenv": "MAIN_{NAME}=¶{value}\n",
    "export": "export MAIN_{NAME}='¶{value}'\n",
    "flag": "bot --{dashed}=¶{value} run\n",
    "python": '{name} = "¶{value}"\n',
    "python-typed": 'self.{name}: str = "¶{value}"\n',
    "python-bytes": "{name} = b'¶{value}'\n",
    "python-argument": 'Client({name}="¶{value}", timeout=3)\n',
    "python-item": 'config["{name}"] = "¶{value}"\n',
    "javascript": "const {camel} = '¶{value}';\n",
    "javascript-object": "  {camel}: `¶{value}`,\n",
    "go": '\t{camel}: "¶{value}",\n',
    "ruby": ":{name} => '¶{value}'\n",
    "header": 'curl -H "X-{dashed}: ¶{value}"\n',
    "url": "GET /x?a=1&{camel}=¶{value}&b=2\n",
    "umlauts": 'schlüssel größe "{name}": "¶{value}"\n',
    "markdown": "- **note** `{name}: ¶{value}`\n",
}


def write(syntax: str, name: str, value: str) -> tuple[bytes, int, int]:
    """A file in a syntax with one value, and the line and column of the value."""
    first, *rest = name.split("_")
    camel = first + "".join(part.title() for part in rest)
    text = SYNTAXES[syntax].format(
        name=name, NAME=name.upper(), camel=camel, dashed=name.replace("_", "-"), value=value
    )
    before, after = text.split("¶")
    return (before + after).encode(), before.count("\n") + 1, len(before) - before.rfind("\n")


def found(text: str | bytes) -> tuple[Lookalike, ...]:
    return lookalikes(text if isinstance(text, bytes) else text.encode(), key=KEY)


def whats(text: str | bytes) -> list[str]:
    return [one.what for one in found(text)]


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize(("exchange", "name"), FIELDS)
def test_a_key_is_found_in_every_syntax(made_up, exchange, name, syntax):
    value = made_up(exchange + name).issued(exchange, name)
    if syntax != "yaml-block":
        value = value.replace("\n", "\\n")
    blob, line, column = write(syntax, name, value)
    (one,) = found(blob)
    assert (one.line, one.column) == (line, column)
    assert value not in f"{one!r} {one!s} {one.what}"


@settings(max_examples=300)
@given(
    field=st.sampled_from(FIELDS),
    syntax=st.sampled_from(sorted(SYNTAXES)),
    seed=st.integers(0, 2**32),
    above=st.lists(st.text(alphabet="ab c#:-=é€", max_size=20), max_size=5),
)
def test_any_key_of_any_shape_is_found_where_it_stands(made_up, field, syntax, seed, above):
    value = made_up(seed).issued(*field).replace("\n", "\\n")
    # Of those that are nothing but letters and digits, some have hardly a digit and read like words:
    # docs/review.md says how many.
    assume(not value.isalnum() or sum(c.isdigit() for c in value) * 6 >= len(value))
    blob, line, column = write(syntax, field[1], value)
    head = "".join(f"{row}\n" for row in above).encode()
    (one,) = found(head + blob)
    assert (one.line, one.column) == (line + len(above), column)
    assert value[:7] not in f"{one!r} {one!s} {one.what}"


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda m: m.age(), "an age private key"),
        (lambda m: m.age().replace("KEY-1", "KEY-PQ-1"), "an age private key"),
        (lambda m: m.pem(), "a private key in PEM"),
        (lambda m: m.pem("RSA PRIVATE KEY"), "a private key in PEM"),
        (lambda m: m.pem("PRIVATE KEY"), "a private key in PEM"),
        (lambda m: m.pem("ENCRYPTED PRIVATE KEY"), "a private key in PEM"),
        (lambda m: m.pem("OPENSSH PRIVATE KEY"), "an OpenSSH private key"),
        (lambda m: m.pem("PGP PRIVATE KEY BLOCK"), "a PGP private key"),
        (lambda m: json.dumps({"privateKey": m.pem()}), "a private key in PEM"),
        (lambda m: m.pem().partition("-----END")[0], "a private key in PEM"),
        (lambda m: f"my key is {m.issued('mexc', 'api_key')}.", "a MEXC API key"),
        (lambda m: f"see {m.issued('bitget', 'api_key')}", "a Bitget API key"),
        (lambda m: f"name: {m.issued('coinbase', 'api_key')}", "a Coinbase API key"),
        (lambda m: f"HTX: {m.htx()}", "an HTX access key or secret key"),
        (
            lambda m: f"that is valid {m.draw(m.ALNUM, 64)}",
            "an API key or secret as Binance and BingX issue them",
        ),
        (lambda m: m.draw(m.ALNUM, 36), "an API secret as Bybit issues them"),
        (lambda m: m.draw(m.ALNUM, 32), "an API key or secret of 32 letters and digits"),
        (lambda m: f"1. {m.draw(m.BASE64, 56)}", "an API key as Kraken issues them"),
        (lambda m: f"2. {m.draw(m.BASE64, 86)}==", "a private key as Kraken and Coinbase issue them"),
        (lambda m: f"KuCoin key {m.draw(m.HEX, 24)}", "a KuCoin API key or secret"),
        (lambda m: f"KUCOIN_SUB secret is\n{m.uuid()}", "a KuCoin API key or secret"),
        (lambda m: f"our okx api: {m.uuid()}", "an OKX API key or secret"),
        (lambda m: f"bybit key {m.draw(m.ALNUM, 18)}", "a Bybit API key"),
        (lambda m: f"Gate.io secret {m.draw(m.HEX, 64)}", "a Gate API key or secret"),
    ],
)
def test_some_need_no_field_to_be_known(made_up, make, what):
    assert whats(f"{make(made_up(1))}\n") == [what]


def test_a_signed_token_has_three_parts(made_up):
    m = made_up()
    parts = [f"eyJ{m.draw(m.ALNUM, 30)}", f"eyJ{m.draw(m.ALNUM, 60)}", m.draw(m.ALNUM, 43)]
    assert whats(".".join(parts)) == ["a signed token (JWT)"]
    assert whats(".".join(parts[:2])) == []


def test_two_keys_on_lines_of_their_own_are_two(made_up):
    m = made_up()
    assert [one.line for one in found(f"{m.draw(m.ALNUM, 64)}\n{m.draw(m.ALNUM, 64)}\n")] == [1, 2]


def test_configurations_of_bots(made_up):
    m = made_up()
    key, secret = m.draw(m.LOWER, 40), m.draw(m.LOWER, 40)
    freqtrade = {"exchange": {"name": "bitvavo", "key": key, "secret": secret, "password": "tr4de" + "-Up-2"}}
    assert whats(json.dumps(freqtrade, indent=4)) == [
        "a value in a field named `key`",
        "a value in a field named `secret`",
        "a value in a field named `password`",
    ]
    hummingbot = f"bitvavo_api_key: {key}\nbitvavo_api_secret: {secret}\n"
    assert [(one.line, one.column) for one in found(hummingbot)] == [(1, 18), (2, 21)]
    assert whats(f"key: {key}\n") == []  # not beside a secret


def test_a_key_in_clear_beside_ciphertext_is_found(made_up):
    encrypted = (folder("examples") / "secrets" / "mexc-spot-main.sops.yaml").read_bytes()
    assert found(encrypted) == ()
    clear = f"\napi_key: {made_up().draw(made_up.LOWER, 30)}\nold: ENC".encode()
    leaked = encrypted.replace(b"\napi_key: ENC", clear)
    assert [(one.line, one.what) for one in found(leaked)] == [(3, "a value in a field named `api_key`")]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_other_encodings_of_windows(made_up, encoding):
    text = f"größe: 1\r\nsecret: {made_up().draw(made_up.HEX, 32)}\r\n"
    mark = "\ufeff" if encoding in {"utf-16-le", "utf-16-be"} else ""
    assert [(one.line, one.column) for one in found((mark + text).encode(encoding))] == [(2, 9)]


def test_in_a_binary_file_only_private_keys_are_found(made_up):
    m = made_up()
    keys = f"{m.age()}\n{m.pem()}\nsecret: {m.draw(m.HEX, 32)}\n{m.draw(m.ALNUM, 64)}\n"
    assert whats(b"\0\xff\n" + keys.encode()) == ["an age private key", "a private key in PEM"]


def test_a_marked_line_is_not_told(made_up):
    value, marker = made_up().draw(made_up.HEX, 32), MARKER.decode()
    assert found(f"secret: {value} # {marker}\n") == ()
    assert found(f"# {marker}: made up\nsecret: {value}\n") == ()
    assert found(f"secret: | # {marker}\n  {value}\n") == ()
    assert found(f"# {marker}\n{made_up().age()}\n") == ()
    assert [one.line for one in found(f"secret: {value} # {marker}\nsecret: {value}\n")] == [2]
    assert [one.line for one in found(f"# {marker}\nsecret: {value}\nsecret: {value}\n")] == [3]


def test_the_token_tells_equal_values_within_a_run_only(made_up):
    m = made_up()
    value, other = m.draw(m.HEX, 32), m.draw(m.HEX, 32)
    first, second, third = found(f"secret: {value}\nsecret: {value}\nsecret: {other}\n")
    assert first.token == second.token != third.token
    (later,) = lookalikes(f"secret: {value}\n".encode(), key=b"another run's key")
    assert later.token != first.token
    assert "token" not in repr(first)


def test_the_token_of_a_private_key_ignores_how_it_is_laid_out(made_up):
    text = made_up().pem()
    (flat,), (indented,) = found(text), found("  " + text.replace("\n", "\r\n    "))
    assert flat.token == indented.token


def test_the_run_needs_a_key_that_cannot_be_guessed():
    with pytest.raises(ValueError, match="16 bytes"):
        lookalikes(b"", key=b"short")


def test_a_field_is_named_by_its_sort_and_not_by_its_own_name(made_up):
    m = made_up()
    text = f'{m.draw(m.ALNUM, 20)}_api_key = "{m.draw(m.HEX, 32)}"'
    assert whats(text) == ["a value in a field named `api_key`"]


LONG = 5_000_000
SLOW = [
    "a",
    "A1b2",
    '"',
    "'",
    "secret",
    'secret:"',
    "secret:\"secret:'",
    "api_key:|#",
    "mx0",
    "not-a-secret ",
]
SLOW += ["-----BEGIN PRIVATE KEY-----", "AGE-SECRET-KEY-1", "eyJaaaaaaaaaa.", "ENC[AES256_GCM,data:"]


@pytest.mark.timeout(45)
@pytest.mark.parametrize("unit", SLOW)
def test_megabytes_that_are_made_to_be_slow(unit):
    # Every pattern is bounded or possessive and begins only where a word does, so this takes about a
    # second for each; one that looked back over the line would take hours, and meet the time limit.
    blob = (unit * (LONG // len(unit) + 1)).encode()[:LONG]
    assert len(found(blob)) <= LONG // len(unit)


@pytest.mark.timeout(45)
@pytest.mark.parametrize("between", ["\n", " "])
def test_a_hundred_thousand_keys_take_one_pass(made_up, between):
    key = made_up(1).draw(made_up.ALNUM, 32) + " ;"
    told = found(between.join(["x", *[key] * 100_000]))
    assert len(told) == 100_000
    assert told[-1].line == (1 if between == " " else 100_001)


@settings(max_examples=30, deadline=None)
@given(st.text(alphabet="aA1\"': =secrtky_-|#\n", min_size=1, max_size=30), st.integers(1, 20_000))
def test_long_rows_of_anything_come_to_an_end(unit, times):
    assert len(found(unit * times)) <= times * len(unit)


def test_only_so_much_of_a_file_is_looked_at(made_up, monkeypatch):
    monkeypatch.setattr(lookalike, "SIZE_LIMIT", 1000)
    line = f"secret: {made_up().draw(made_up.HEX, 32)}\n"
    assert len(found("\n" * (1000 - len(line)) + line)) == 1
    assert found("\n" * 1000 + line) == ()
