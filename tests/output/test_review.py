"""What ``diff`` shows people and programs."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import jsonschema
import pytest

from reconciler import resources
from reconciler.model.report import Weight
from reconciler.model.review import ChangeKind, Leaf, Risk, SecretState
from reconciler.output import terminal, text
from reconciler.output.formats.json import render as render_json
from reconciler.output.options import Options
from reconciler.output.registry import render

ANSI = re.compile(r"\x1b\[[0-9;]*m")
SCHEMA = json.loads(resources.schema("diff.schema.json"))
SUMMARY = re.compile(
    r"diff: \d+ added, \d+ changed, \d+ renamed, \d+ removed; \d+ risk up, \d+ risk down; "
    r"\d+ secrets? changed; \d+ failing( \(digest [0-9a-f]{8}\))?"
)


def shown(review, **fields):
    return text.render(replace(review, **fields), width=200)


def document(review):
    found = json.loads(render_json(review))
    jsonschema.validate(found, SCHEMA, cls=jsonschema.Draft202012Validator)
    return found


def test_plain_screen(reviewed, snapshot):
    assert text.render(reviewed) == snapshot


def test_coloured_screen(reviewed, snapshot):
    assert render(reviewed, "text", Options(colour=True)) == snapshot


def test_json(reviewed, snapshot):
    assert render_json(reviewed) == snapshot
    document(reviewed)


@pytest.mark.parametrize("width", [40, 72, 100])
def test_colour_adds_nothing_and_takes_nothing(reviewed, width):
    styled = terminal.render(reviewed, width=width)
    assert ANSI.sub("", styled) == text.render(reviewed, width=width)


@pytest.mark.parametrize("width", [40, 100])
def test_the_last_line_counts_in_a_fixed_shape(reviewed, width):
    last = text.render(reviewed, width=width).splitlines()[-1]
    assert SUMMARY.fullmatch(last)
    assert last == (
        "diff: 2 added, 2 changed, 1 renamed, 1 removed; 6 risk up, 1 risk down; 5 secrets changed; "
        "2 failing (digest ab12cd34)"
    )


def test_risk_stands_before_everything_else(reviewed):
    titles = [row for row in text.render(reviewed).splitlines() if row.isupper()]
    assert titles == ["RISK UP", "CHANGES", "SECRETS", "ON MERGE", "CONCERNS"]


def test_each_raise_says_what_and_why(reviewed):
    screen = shown(reviewed)
    risks = screen[screen.index("RISK UP") : screen.index("CHANGES")]
    assert risks.count("! risk up") == reviewed.risk_count(Risk.UP)
    assert "strategies btc-eth-recovery · margin_limit.amount: 500 → 5000" in risks
    assert "why        ten times as much can be lost" in risks


def test_an_item_shows_its_kind_its_former_key_and_its_values(reviewed):
    screen = shown(reviewed)
    assert "» renamed      BTC ETH Recovery · btc-eth-recovery · was btc-recovery · examples/" in screen
    assert "set        pairs: +ETH/USDT -LTC/USDT" in screen
    assert "set        settings: x true, y 1, 2 → none" in screen
    assert "risk down  max_key_age: 365d → 180d · keys live shorter" in screen
    assert "? unreadable   a waiver" in screen


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (None, True, "none → true"),
        ("", "x", '"" → x'),
        ("\u3164", " ", r'\u3164 → " "'),
        (("a", "b"), ("b", "a"), "another order"),
        ((), ("a",), "+a"),
        (None, ("a", "b"), "none → a, b"),
        ({"a": 1}, {"a": 2}, "a 1 → a 2"),
    ],
)
def test_values_read_as_a_person_would_write_them(reviewed, old, new, told):
    change = replace(reviewed.changes[2], leaves=(Leaf(path="it", old=old, new=new),))
    assert f"it: {told}\n" in shown(reviewed, changes=(change,))


def test_a_secret_says_how_much_can_be_said(reviewed):
    screen = shown(reviewed)
    assert "values     2 of 3 values changed: passphrase, secret" in screen
    assert "values     2 values: unchanged" in screen
    assert "re-encrypted as a whole: nothing can be said of single values; ask the author for `sops set`" in (
        screen
    )
    assert "! reads    age age1bob can still read it: the data key was not rotated" in screen
    assert "read by    + age age1carol" in screen
    assert "read by    - age age1bob" in screen
    assert "- removed      secrets/old-spot.sops.yaml · of no connection" in screen
    assert "= unchanged    secrets/renamed.sops.yaml · of kucoin-futures · was secrets/former" in screen


def test_what_a_merge_starts_stops_and_leaves(reviewed):
    screen = shown(reviewed)
    assert "+ enable       Grid · grid · on mexc-spot-main · in paper" in screen
    assert "= unchanged    Swing · swing · on mexc-spot-main · in paper" in screen
    kinds = SCHEMA["$defs"]["consequence"]["properties"]["kind"]["enum"]
    assert kinds == [one.kind.value for one in reviewed.on_merge]


def test_failing_concerns_come_first_with_place_and_commit(reviewed):
    backwards = shown(reviewed, concerns=reviewed.concerns[::-1])
    concerns = backwards[backwards.index("CONCERNS") :]
    assert concerns.index("✗ fails") < concerns.index("i advice")
    assert "at         secrets/arbitrage.sops.yaml:2:1, in commit 4f1d2c9e0b7a" in concerns


def test_nothing_changed_is_short(unchanged, snapshot):
    assert text.render(unchanged) == snapshot
    assert document(unchanged)["summary"]["differs"] is False


def test_files_that_only_moved_no_value_are_no_change(reviewed):
    still = replace(reviewed.secrets[4], was=None)
    assert still.state is SecretState.UNCHANGED
    screen = shown(reviewed, changes=(), secrets=(still,))
    assert "✓ nothing      changed between these two" in screen


def test_json_counts_and_keeps_every_value(reviewed):
    found = document(reviewed)
    assert found["summary"] == {
        "differs": True,
        "added": 2,
        "removed": 1,
        "renamed": 1,
        "changed": 2,
        "unreadable": 1,
        "secrets_changed": 5,
        "risk_up": 6,
        "risk_down": 1,
        "failing": 2,
    }
    (renamed,) = (one for one in found["changes"] if one["kind"] == "renamed")
    assert renamed["leaves"][0]["old"] == ["BTC/USDT", "LTC/USDT"]
    assert renamed["leaves"][2] == {
        "path": "settings",
        "old": {"x": True, "y": [1, 2]},
        "new": None,
        "risk": "none",
        "why": "",
    }
    assert found["head"] == {"name": "HEAD", "commit": None}


def test_the_schema_names_every_word_of_the_model():
    parts = SCHEMA["$defs"]
    assert parts["change"]["properties"]["kind"]["enum"] == [
        kind.value for kind in (ChangeKind.ADDED, ChangeKind.REMOVED, ChangeKind.RENAMED)
    ] + ["changed", "unreadable"]
    assert parts["secret"]["properties"]["state"]["enum"] == [state.value for state in SecretState]
    assert parts["leaf"]["properties"]["risk"]["enum"] == [risk.value for risk in Risk]
    assert parts["concern"]["properties"]["weight"]["enum"] == [weight.value for weight in Weight]


def described(schema, path=""):
    """Every property without a description, by its path."""
    for name, part in schema.get("properties", {}).items():
        if "description" not in part and "$ref" not in part:
            yield f"{path}/{name}"
        yield from described(part, f"{path}/{name}")
    for name, part in schema.get("$defs", {}).items():
        yield from described(part, f"{path}#{name}")


def test_every_property_is_described_and_none_may_be_added():
    assert [path for path in described(SCHEMA) if not path.startswith("#tool")] == []
    objects = [SCHEMA, *SCHEMA["$defs"].values()]
    assert all(one["additionalProperties"] is False for one in objects if one.get("type") == "object")
