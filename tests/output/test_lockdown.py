"""The screens and documents of an emergency, for whatever it found, and whatever others wrote into it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import jsonschema
import pytest

from reconciler.model.emergency import Emergency, InForce, KeyAtRisk, Lifted, Running, Wanted
from reconciler.model.memory import Lockdown, Scope
from reconciler.model.plan import Action, ActionKind, Outcome, OutcomeState
from reconciler.output import lockdown, lockdown_json
from reconciler.resources import schema

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
SCHEMA = json.loads(schema("lockdown.schema.json"))
EVIL = "\x1b[2Jgone\u202e ::warning::x"
ONE = Lockdown(id=3, scope=Scope.ALL, scope_id="", since=NOW, by="ada@desk", reason="a key\nleaked")
KEY = {
    "permissions": {"read": True, "spot": True, "margin": None, "withdraw": False},
    "ip_whitelist": {"restricted": False, "addresses": None},
    "account": {"uid": "77"},
    "expires_at": None,
    "disabled": None,
}


def outcome(strategy, state, detail="", connection="main"):
    action = Action(
        kind=ActionKind.DISABLE, strategy=strategy, runtime="paper", reason="r", connection=connection
    )
    return Outcome(action=action, state=state, detail=detail, at=NOW)


@pytest.fixture
def told():
    return Emergency(
        version="1.2.3",
        wanted=Wanted(scope=Scope.ALL, scope_id="", reason="a key leaked"),
        at=NOW,
        lockdown=ONE,
        troubles=("the files are not sound",),
        outcomes=(
            outcome("a", OutcomeState.DONE),
            outcome("b", OutcomeState.FAILED, "the bot says no"),
            outcome("c", OutcomeState.UNKNOWN, "it could not be read back", connection=None),
            outcome("d", OutcomeState.NOT_TRIED, "another took the lock"),
        ),
        foreign=(Running(strategy="theirs", runtime="ft", connection=None),),
        unreadable=("far",),
        keys=(
            KeyAtRisk(connection="dark"),
            KeyAtRisk(
                connection="main",
                name="Main Account",
                exchange="mexc",
                exchange_name="MEXC",
                page="https://mexc.example/keys",
                secret_file="secrets/my key.sops.yaml",
                addresses=("203.0.113.10",),
                read_at=NOW,
                key=KEY,
                strategies=("a", "b"),
            ),
        ),
    )


def test_what_did_not_stop_comes_first_and_what_did_last(told):
    text = lockdown.render(told)
    labels = ["! NOT STOPPED  b", "? UNKNOWN      c", "! NOT STOPPED  d", "- stopped      a", "* not ours"]
    places = [text.index(label) for label in labels]
    assert places == sorted(places)
    assert "why        the bot says no" in text
    assert "c · on a key that nobody can name · in paper" in text
    assert text.rstrip().splitlines()[-1] == (
        "lockdown 3 of everything: 1 stopped, 2 not stopped, 1 unknown, 2 keys to replace"
    )
    assert "exit           9: not everything" in text


def test_a_key_tells_what_is_known_and_what_to_type(told):
    text = lockdown.render(told)
    assert "    key may    read, spot · not withdraw · not told: margin\n" in text
    assert "not bound to any address: it works from anywhere · of account 77 · read 2026" in " ".join(
        text.split()
    )
    assert "    replace    sops 'secrets/my key.sops.yaml'\n" in text
    assert "take it that it may withdraw" in text
    assert "an exchange that nobody remembers" in text


def test_no_row_is_wider_than_asked(told):
    for width in (60, 100):
        assert max(map(len, lockdown.render(told, width=width).splitlines())) <= width


def test_what_was_not_recorded_is_said_first_and_what_to_stop_by_hand(told):
    text = lockdown.render(replace(told, lockdown=None))
    assert text.startswith("LOCKDOWN of everything IS NOT RECORDED\n")
    assert "Keep every apply from running" in text
    assert "--lift" not in text
    assert "lockdown of everything NOT RECORDED: 1 stopped" in text


def test_all_well_leaves_nothing_to_do_by_hand(told):
    text = lockdown.render(replace(told, outcomes=told.outcomes[:1], foreign=(), unreadable=()))
    assert "BY HAND" not in text
    assert "exit           0: whatever it covers is stopped" in text


def test_a_state_that_knows_nothing_does_not_say_that_nothing_runs(told):
    blank = replace(told, outcomes=(), foreign=(), unreadable=(), blank=True)
    assert "nobody knows what runs" in lockdown.render(blank)
    assert int(blank.exit_code) == 1
    assert "nothing that it covers was running" in lockdown.render(replace(blank, blank=False))


def test_lifting_names_what_may_start(told):
    del told
    other = replace(ONE, id=4, scope=Scope.EXCHANGE, scope_id="mexc")
    lifted = Lifted(version="1.2.3", at=NOW, lockdown=ONE, by="bob", may_start=("a", "b"), still=(other,))
    text = lockdown.render_lift(lifted)
    assert "may start  a, b; each at the next pass, if every check passes" in text
    assert "still      lockdown 4 of exchange mexc stays in force" in text
    assert text.endswith("lockdown 3 of everything: lifted by bob\n")
    dark = replace(lifted, may_start=(), troubles=("the files cannot be read",))
    assert "nobody knows, while the files cannot be read" in lockdown.render_lift(dark, done=False)


@pytest.mark.parametrize("recorded", [True, False])
def test_every_document_follows_the_schema(told, recorded):
    lifted = Lifted(version="1.2.3", at=NOW, lockdown=ONE, by="bob", may_start=("a",))
    texts = (
        lockdown_json.render(told if recorded else replace(told, lockdown=None)),
        lockdown_json.render_list(InForce(version="1.2.3", at=NOW, lockdowns=(ONE,))),
        lockdown_json.render_lift(lifted),
    )
    for text in texts:
        jsonschema.validate(json.loads(text), SCHEMA, cls=jsonschema.Draft202012Validator)


def test_nothing_that_others_wrote_acts_on_a_terminal_or_a_runner(told):
    evil = replace(
        told,
        lockdown=replace(ONE, reason=EVIL, by=EVIL, scope=Scope.CONNECTION, scope_id=EVIL),
        troubles=(EVIL,),
        outcomes=(outcome(EVIL, OutcomeState.FAILED, EVIL, EVIL),),
        foreign=(Running(strategy=EVIL, runtime=EVIL, connection=EVIL),),
        unreadable=(EVIL,),
        keys=(KeyAtRisk(connection=EVIL, name=EVIL, exchange=EVIL, secret_file=EVIL, strategies=(EVIL,)),),
    )
    in_force = InForce(version="1", at=NOW, lockdowns=(evil.lockdown,))
    lifted = Lifted(version="1", at=NOW, lockdown=evil.lockdown, by=EVIL, troubles=(EVIL,))
    for text in (
        lockdown.render(evil),
        lockdown_json.render(evil),
        lockdown.render_list(in_force),
        lockdown.render_lift(lifted),
    ):
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert "::warning::" not in lockdown.render(evil)
