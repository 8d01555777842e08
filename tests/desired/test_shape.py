"""The shape: what the schema refuses, where, in which words; and both validators of one mind."""

from __future__ import annotations

import copy
import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from reconciler.desired import explain, schema
from reconciler.desired.loader import load_document

ENC = "ENC[AES256_GCM,data:Zm9v,iv:YmFy,tag:YmF6,type:str]"


def change(sound: str, old: str, new: str) -> str:
    assert old in sound
    return sound.replace(old, new)


#: What is written instead of what, and the line, column and code of what comes of it.
SHAPES = {
    "version missing": ("version: 1\n", "", [(1, 1, "missing-field")]),
    "version 2": ("version: 1", "version: 2", [(1, 10, "wrong-value")]),
    "version as text": ("version: 1", 'version: "1"', [(1, 10, "wrong-value")]),
    "version true": ("version: 1", "version: true", [(1, 10, "wrong-value")]),
    "unknown section": ("runtimes:", "runtime: {}\nruntimes:", [(12, 1, "unknown-field")]),
    "section is a list": ("egress:\n  bot-eu: {", "egress:\n  - {", [(3, 3, "wrong-type")]),
    "section is empty": ("runtimes:\n  paper: {type: ledger}", "runtimes:", [(12, 10, "wrong-type")]),
    "unknown field": (
        "    market: spot",
        "    market: spot\n    withdrawl: false",
        [(9, 5, "unknown-field")],
    ),
    "field missing": ("    market: spot\n", "", [(5, 3, "missing-field")]),
    "two fields missing": (
        "    name: BTC ETH\n    connection: mexc-spot-main\n",
        "",
        [(15, 3, "missing-field"), (15, 3, "missing-field")],
    ),
    "bad id": ("  paper: {", "  Paper_1: {", [(13, 3, "bad-id"), (18, 14, "dangling-reference")]),
    "id too long": ("  paper: {", f"  {'p' * 64}: {{", [(13, 3, "bad-id"), (18, 14, "dangling-reference")]),
    "id with line break": (
        "  paper: {",
        '  "paper\\n": {',
        [(13, 3, "bad-id"), (18, 14, "dangling-reference")],
    ),
    "enum": ("market: spot", "market: spott", [(8, 13, "wrong-value")]),
    "type": ("enabled: true", "enabled: 1", [(19, 14, "wrong-type")]),
    "number for text": ('uid: "209302839"', "uid: 209302839", [(10, 20, "wrong-type")]),
    "name too long": ("name: BTC ETH", f"name: {'x' * 81}", [(16, 11, "wrong-size")]),
    "name of spaces": ("name: BTC ETH", 'name: " "', [(16, 11, "wrong-format")]),
    "name with line break": ("name: BTC ETH", 'name: "BTC ETH\\n"', [(16, 11, "wrong-format")]),
    "no pairs": ("pairs: [BTC/USDT, ETH/USDT]", "pairs: []", [(20, 12, "wrong-size")]),
    "pair twice": ("pairs: [BTC/USDT, ETH/USDT]", "pairs: [A/B, A/B]", [(20, 12, "wrong-size")]),
    "no pair": ("ETH/USDT]", "ETHUSDT]", [(20, 23, "wrong-format")]),
    "withdraw": ("    egress: bot-eu", "    permissions: {withdraw: true}", [(9, 29, "withdraw-never")]),
    "withdraw null": ("    egress: bot-eu", "    permissions: {withdraw: null}", [(9, 29, "withdraw-never")]),
    "permission as text": ("    egress: bot-eu", '    permissions: {spot: "yes"}', [(9, 25, "wrong-type")]),
    "unknown permission": (
        "    egress: bot-eu",
        "    permissions: {trade: true}",
        [(9, 19, "unknown-field")],
    ),
    "proxy": ("10]}", "10], proxy: ftp://x:1}", [(3, 46, "wrong-format")]),
    "proxy with password": ("10]}", '10], proxy: "http://u:hunter2@x:1"}', [(3, 46, "proxy-credentials")]),
    "runtime unknown": ("type: ledger", "type: abacus", [(13, 17, "wrong-value")]),
    "runtime without url": ("type: ledger", "type: freqtrade", [(13, 3, "missing-field")] * 2),
    "runtime with url": ("type: ledger", "type: ledger, url: http://x", [(13, 25, "unknown-field")]),
    "command a text": ("type: ledger", "type: command, command: /bin/x -a", [(13, 35, "wrong-type")]),
    "command empty": ("type: ledger", "type: command, command: []", [(13, 35, "wrong-size")]),
    "command of the tree": ("type: ledger", "type: command, command: [./x]", [(13, 36, "wrong-format")]),
    "command by name": ("type: ledger", "type: command, command: [sh, -c]", [(13, 36, "wrong-format")]),
    "command with a newline": (
        "type: ledger",
        'type: command, command: [/x, "a\\nb"]',
        [(13, 40, "wrong-format")],
    ),
    "command for too long": (
        "type: ledger",
        "type: command, command: [/x], time_limit: 121s",
        [(13, 53, "wrong-format")],
    ),
    "command with url": (
        "type: ledger",
        "type: command, command: [/x], url: http://x",
        [(13, 41, "unknown-field")],
    ),
    "webhook without credentials": (
        "type: ledger",
        "type: webhook, url: https://x.example",
        [(13, 3, "missing-field")],
    ),
    "3commas without url": (
        "type: ledger",
        "type: 3commas, credentials: secrets/x.yaml",
        [(13, 3, "missing-field")],
    ),
    "credentials a list": ("secrets/mexc-spot-main.sops.yaml", "[x]", [(11, 18, "wrong-type")]),
    "credentials absolute": ("credentials: secrets", "credentials: /etc", [(11, 18, "wrong-format")]),
    "credentials at home": ("credentials: secrets", "credentials: ~/x", [(11, 18, "wrong-format")]),
    "credentials not yaml": ("main.sops.yaml", "main.env", [(11, 18, "wrong-format")]),
    "inline plaintext": (
        "secrets/mexc-spot-main.sops.yaml",
        f"{{api_key: hunter2, secret: {ENC}}}".replace("ENC[", '"ENC[').replace("str]", 'str]"'),
        [(11, 28, "plaintext-secret")],
    ),
    "inline number": (
        "secrets/mexc-spot-main.sops.yaml",
        '{api_key: 123, secret: "' + ENC + '"}',
        [(11, 28, "plaintext-secret")],
    ),
    "inline encrypted number": (
        "secrets/mexc-spot-main.sops.yaml",
        '{api_key: "' + ENC.replace("str]", "int]") + '", secret: "' + ENC + '"}',
        [(11, 28, "secret-not-text")],
    ),
    "inline missing": (
        "secrets/mexc-spot-main.sops.yaml",
        '{api_key: "' + ENC + '"}',
        [(11, 5, "missing-field")],
    ),
    "secret beside": (
        "    market: spot",
        "    market: spot\n    secret: hunter2",
        [(9, 5, "plaintext-secret")],
    ),
    "ciphertext beside": (
        "    market: spot",
        f'    market: spot\n    secret: "{ENC}"',
        [(9, 5, "unknown-field")],
    ),
    "margin limit a number": (
        "    enabled: true",
        "    enabled: true\n    margin_limit: {amount: 500, currency: USDT}",
        [(20, 28, "wrong-type")],
    ),
    "policy limits": (
        "runtimes:",
        "policy: {max_margin_limit: {amount: 5}, max_averaging_factor: 8, allowed_quotes: [usdt]}\nruntimes:",
        [(12, 10, "missing-field"), (12, 37, "wrong-type"), (12, 63, "wrong-type"), (12, 83, "wrong-format")],
    ),
    "additions": (
        "    enabled: true",
        '    enabled: true\n    averaging: {max_additions: 101, step: "2%", multiplier: "1.5"}',
        [(20, 32, "wrong-size")],
    ),
    "waiver without end": (
        "runtimes:",
        "waivers: [{check: x, connection: mexc-spot-main, reason: r, approved_by: b}]\nruntimes:",
        [(12, 11, "missing-field")],
    ),
}


@pytest.mark.parametrize(("old", "new", "expected"), SHAPES.values(), ids=SHAPES)
def test_a_wrong_shape_is_refused_at_its_place(sound, places, old, new, expected):
    assert places(change(sound, old, new)) == expected


@pytest.mark.parametrize(("old", "new"), [shape[:2] for shape in SHAPES.values()], ids=SHAPES)
def test_no_problem_shows_what_may_be_a_secret(sound, problems, old, new):
    text = "\n".join(map(str, problems(change(sound, old, new))))
    assert "hunter2" not in text
    assert "Zm9v" not in text


def test_an_unknown_field_names_those_that_are_known_and_the_nearest(sound, problems):
    (problem,) = problems(change(sound, "    egress: bot-eu", "    egres: bot-eu"))
    assert problem.message.startswith(
        "unknown field `egres` in connections.mexc-spot-main: expected one of name, "
    )
    assert problem.message.endswith("did you mean `egress`?")


def test_a_wrong_value_says_what_was_expected_found_and_how_to_write_it(sound, problems):
    (problem,) = problems(change(sound, "enabled: true", "enabled: [true]"))
    assert problem.message == "strategies.btc-eth.enabled: expected true or false, found a list"
    assert problem.fix == "write for example `enabled: true`"
    (problem,) = problems(change(sound, "market: spot", "market: sport"))
    assert "expected spot, margin or futures; did you mean `spot`?" in problem.message


def test_a_number_where_text_is_expected_is_to_be_quoted(sound, problems):
    (problem,) = problems(change(sound, 'uid: "209302839"', "uid: 209302839"))
    assert problem.fix == "put the value in quotes"


def test_a_missing_field_shows_how_to_write_it(sound, problems):
    (problem,) = problems(change(sound, "    pairs: [BTC/USDT, ETH/USDT]\n", ""))
    assert problem.fix == "write for example `pairs: [BTC/USDT, ETH/USDT]`"


def test_a_name_beneath_credentials_is_never_shown(sound, problems):
    found = problems(change(sound, "secrets/mexc-spot-main.sops.yaml", "{hunter2, s3cretvalue}"))
    assert {p.code for p in found} == {"unknown-field", "missing-field"}
    assert not any("hunter2" in str(p) or "s3cretvalue" in str(p) for p in found)


def test_a_secret_that_is_a_duplicate_key_is_not_shown(sound, problems):
    found = problems(change(sound, "secrets/mexc-spot-main.sops.yaml", "{hunter2, hunter2}"))
    assert "duplicate-key" in {p.code for p in found}
    assert not any("hunter2" in str(p) for p in found)


def test_an_odd_key_is_not_shown(sound, problems):
    (problem,) = problems(change(sound, "version: 1", 'version: 1\n"a b c": 1'))
    assert "a b c" not in str(problem)


def test_the_withdraw_permission_has_words_of_its_own(sound, problems):
    (problem,) = problems(change(sound, "    egress: bot-eu", "    permissions: {withdraw: true}"))
    assert "a key that can withdraw never carries a strategy" in problem.message


def test_what_the_loader_has_refused_is_not_judged_again(sound, places):
    assert places(change(sound, "enabled: true", "enabled: NO")) == [(19, 14, "ambiguous-value")]
    assert places(change(sound, "market: spot", "market: *x")) == [(8, 13, "alias")]


def test_many_wrong_entries_are_all_reported_quickly(sound, problems):
    many = "".join(f"  r{n}: {{type: ledger}}\n" for n in range(5000))
    bad = "".join(f"  bad{n}: {{type: nothing}}\n" for n in range(40))
    found = problems(change(sound, "runtimes:\n", f"runtimes:\n{many}{bad}"))
    assert [p.code for p in found] == ["wrong-value"] * 40


def test_too_many_wrong_entries_end_in_an_error_that_says_so(problems):
    entries = "".join(f"  c{n}: {{name: x}}\n" for n in range(2000))
    found = problems(f"version: 1\nconnections:\n{entries}")
    assert found[0].code == "too-many-problems"
    assert {p.code for p in found[1:]} == {"missing-field"}


def test_what_only_the_deciding_validator_refuses_is_refused(monkeypatch, sound, problems):
    monkeypatch.setattr(explain, "_Explainer", lambda _schema: Draft202012Validator({}))
    (problem,) = problems(change(sound, "market: spot", "market: spott"))
    assert (problem.mark.line, problem.code) == (5, "wrong-shape")
    (problem,) = problems(change(sound, "version: 1", "version: 2"))
    assert (problem.mark.line, problem.code) == (1, "wrong-shape")


def walk(value, path=()):
    """Every subschema that a value can be compared with."""
    if isinstance(value, dict):
        if "description" in value and isinstance(value["description"], str):
            yield path, value
        for key, inner in value.items():
            if key not in ("examples", "default", "const", "enum"):
                yield from walk(inner, (*path, key))


def test_the_schema_is_a_schema():
    Draft202012Validator.check_schema(schema.schema())
    assert schema.schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize(
    ("path", "part"),
    list(walk(schema.schema())),
    ids=lambda item: ".".join(map(str, item)) if isinstance(item, tuple) else "",
)
def test_every_example_has_the_shape_that_it_is_an_example_of(path, part):
    whole = {**schema.schema(), **part} if path else schema.schema()
    whole = {"$defs": schema.schema()["$defs"], **{key: part[key] for key in part}}
    for example in part.get("examples", ()):
        assert explain.accepts(example, whole)


def test_every_field_is_described_and_every_object_closed():
    for path, part in walk(schema.schema()):
        for name, inner in part.get("properties", {}).items():
            assert inner.get("description") or "$ref" in inner, (*path, name)
    free = [
        path
        for path, part in walk(schema.schema())
        if part.get("type") == "object" and "additionalProperties" not in part
    ]
    # Each type of runtime closes what is open for all of them.
    assert {path[-1] for path in free} == {"sops", "settings", "runtime"}
    cases = schema.schema()["$defs"]["runtime"]["allOf"]
    kinds = [case["if"]["properties"]["type"]["const"] for case in cases]
    assert kinds == schema.schema()["$defs"]["runtime"]["properties"]["type"]["enum"]


SOUND_DOCUMENT = schema.schema()["examples"][0] | {
    "policy": {"ip_whitelist": "recommended", "max_key_age": "180d", "recipients": {"age": ["age1x"]}}
    | {
        "max_margin_limit": {"amount": "1000", "currency": "USDT"},
        "max_averaging_factor": "8",
        "allowed_quotes": ["USDT"],
        "windows": schema.schema()["$defs"]["window"]["examples"],
        "thresholds": {"enable": {"count": 0}, "disable": {"count": 3, "percent": "0%"}},
    },
    "suspend": {"reason": "audit", "until": "2026-12-31"},
    "approvals": schema.schema()["$defs"]["approval"]["examples"],
    "waivers": schema.schema()["$defs"]["waiver"]["examples"],
    "sops": {"mac": ENC, "version": "3.11.0"},
}
SOUND_DOCUMENT["runtimes"]["ft-eu"] = schema.schema()["$defs"]["freqtradeRuntime"]["examples"][0] | {
    "mode": "dry_run",
    "disable": "stop",
    "insecure_http": True,
}
SOUND_DOCUMENT["runtimes"]["k8s"] = schema.schema()["$defs"]["kubernetesRuntime"]["examples"][0] | {
    "replicas_in_git": "ignore"
}
SOUND_DOCUMENT["runtimes"]["3c"] = schema.schema()["$defs"]["threecommasRuntime"]["examples"][0] | {
    "mode": "dry_run",
    "insecure_http": False,
}
for KIND in ("webhookRuntime", "commandRuntime"):
    SOUND_DOCUMENT["runtimes"][KIND.lower()] = schema.schema()["$defs"][KIND]["examples"][0]
SOUND_DOCUMENT["connections"]["inline-one"] = {
    "name": "Inline",
    "exchange": "kucoin",
    "market": "futures",
    "account": {"uid": "1"},
    "credentials": {"api_key": ENC, "secret": ENC, "passphrase": ENC},
    "permissions": {"withdraw": False, "spot": True},
    "suspend": {"reason": "audit", "until": "2026-12-31"},
    "attestations": {"two_factor": {"by": "me", "on": "2026-10-01"}},
}
SOUND_DOCUMENT["strategies"]["full"] = SOUND_DOCUMENT["strategies"]["btc-eth"] | {
    "margin_limit": {"amount": "500", "currency": "USDT"},
    "averaging": {"max_additions": 3, "step": "2%", "multiplier": "1.5"},
    "recovery_mode": {"enabled": True, "max_drawdown": "12%"},
    "settings": {"free": [1, None, {"x": "y"}]},
}


def paths_of(value, path=()):
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths_of(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from paths_of(inner, (*path, index))


WORDS = st.sampled_from(
    [
        "",
        "x",
        "spot",
        "x\n",
        "2%\n",
        "٣",
        "mexc",
        "1.5",
        "ENC[x]",
        "a" * 90,
        " a",
        "BTC/USDT",
        "version",
        "10.0.0.1\n",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 200) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=4,
)


@st.composite
def documents(draw):
    """A sound document with some values replaced, removed or added."""
    document = copy.deepcopy(SOUND_DOCUMENT)
    for _ in range(draw(st.integers(0, 3))):
        path = draw(st.sampled_from(list(paths_of(document))))
        if not path:
            continue
        holder = document
        for part in path[:-1]:
            holder = holder[part]
        change_kind = draw(st.sampled_from(["replace", "remove", "add"]))
        if change_kind == "replace":
            holder[path[-1]] = draw(VALUES)
        elif change_kind == "remove":
            del holder[path[-1]]
        elif isinstance(holder, dict):
            holder[draw(WORDS)] = draw(VALUES)
    return document


@settings(max_examples=250, deadline=None)
@given(documents())
def test_both_validators_give_one_verdict(document):
    assert schema.accepts(document) == explain.accepts(document, schema.schema())


@settings(max_examples=100, deadline=None)
@given(documents())
def test_a_refused_document_is_always_explained(document):
    text = json.dumps(document)
    loaded = load_document(text.encode(), file="f.yaml", root=".")
    if loaded.problems:
        return
    assert bool(schema.check(loaded)) == (not schema.accepts(document))


def test_the_sound_document_is_sound():
    assert schema.accepts(SOUND_DOCUMENT)
    assert explain.accepts(SOUND_DOCUMENT, schema.schema())
    assert schema.accepts(yaml.safe_load(yaml.safe_dump(SOUND_DOCUMENT)))
