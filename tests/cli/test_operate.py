"""``gate``, ``status`` and ``history`` as people and programs call them, on a real state."""

from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime, timedelta

import jsonschema
import pytest
import sqlalchemy as sa

from reconciler.cli.entry import run
from reconciler.model.event import Event, EventKind, EventSeverity, Origin
from reconciler.model.finding import Subject, Verdict
from reconciler.model.live import Status
from reconciler.model.memory import Condition, May, Permit, Reading, Scope
from reconciler.resources import schema as shipped
from reconciler.state import schema
from reconciler.state.store import open_for_writing


def moment(**ago):
    return datetime.now(UTC) - timedelta(**ago)


def event(subject_id, summary, *, at, kind=EventKind.FOUND):
    origin = Origin(by="alice@host", commit="1a2b3c4d5e6f7a8b", pass_id=1)
    fields = {"severity": EventSeverity.WARNING, "subject": Subject.CONNECTION, "origin": origin}
    return Event(kind=kind, subject_id=subject_id, summary=summary, at=at, **fields)


@pytest.fixture
def state(state_url):
    """Two connections, one well; a strategy on each; three events."""
    read = moment(minutes=2)
    fails = {"status": Status.DEGRADED, "verdict": Verdict.FAIL, "checks": ("withdraw-enabled",)}
    well = {"status": Status.CONNECTED, "verdict": Verdict.PASS}
    with open_for_writing(state_url) as store, store.lease() as lease:
        number = store.begin_pass(mode="apply", started_at=read, by="alice@host", commit="1a2b3c4d5e6f7a8b")
        readings = [
            Reading(connection="main", exchange="mexc", at=read, **well),
            Reading(connection="pro", exchange="kucoin", at=read, **fails),
        ]
        store.record_evidence([Reading(connection="main", at=moment(minutes=3), **well)], token=lease.token)
        store.record_evidence(readings, token=lease.token)
        fields = {"runtime": "paper", "at": read}
        store.record_decisions(
            token=lease.token,
            strategies=["btc", "eth"],
            permits=[
                Permit(
                    strategy="btc",
                    connection="main",
                    may=May.RUN,
                    why="every blocking check passes",
                    **fields,
                ),
                Permit(
                    strategy="eth",
                    connection="pro",
                    may=May.STOP,
                    why="pro fails withdraw-enabled",
                    checks=("withdraw-enabled",),
                    **fields,
                ),
            ],
            conditions=[
                Condition(
                    subject=Subject.CONNECTION,
                    subject_id="pro",
                    check="withdraw-enabled",
                    verdict=Verdict.FAIL,
                    blocks=True,
                    evidence="the exchange says that this key may withdraw",
                    since=moment(hours=3),
                )
            ],
            events=[
                event("pro", "first", at=moment(days=3)),
                event("main", "second", at=moment(hours=2)),
                event("pro", "third", at=moment(hours=1), kind=EventKind.KEY_CHANGED),
            ],
        )
        store.finish_pass(number, finished_at=read, exit_code=5, summary={})
    return state_url


@pytest.fixture
def call(state, capsys):
    """Runs a command on the state: exit code, standard output and standard error."""

    def it(*arguments, on=state):
        code = run([*arguments, "--state", on])
        out, err = capsys.readouterr()
        return code, out, " ".join(err.split())  # wrapped wherever the name of the state ends

    return it


@pytest.fixture
def told(call):
    """What a command says as JSON, held to its schema."""

    def it(command, *arguments):
        code, out, err = call(command, *arguments, "--output", "json")
        assert err == ""
        document = json.loads(out)
        kept = json.loads(shipped(f"{command}.schema.json"))
        jsonschema.validate(document, kept, cls=jsonschema.Draft202012Validator)
        assert document["exit_code"] == code
        return document

    return it


class TestGate:
    def test_it_lets_through_what_may_run(self, call):
        code, out, err = call("gate", "btc")
        assert (code, err) == (0, "")
        assert out.startswith("✓ open         btc · on main · in paper\n    decided    ")
        assert out.endswith("2 minutes ago\n\ngate: btc may run\n")

    def test_it_says_why_not_since_when_and_what_to_do(self, call):
        code, out, err = call("gate", "eth")
        assert (code, err) == (5, "")
        assert "why        pro fails withdraw-enabled · since 20" in out
        assert "3 hours ago" in out
        assert "next       reconcile explain withdraw-enabled\n               reconcile check pro\n" in out
        assert out.endswith("gate: eth may not run\n")

    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [
            (["btc"], 0),
            (["btc", "--running"], 0),
            (["eth", "--running"], 5),
            (["btc", "--max-age", "1m"], 1),
            (["btc", "--max-age", "3m"], 0),
            (["nope"], 1),
            (["btc", "--max-age", "soon"], 3),
            (["btc", "--max-age", "0s"], 3),
            ([], 3),
        ],
    )
    def test_quietly_it_says_so_by_its_code_alone(self, call, arguments, expected):
        code, out, err = call("gate", "--quiet", *arguments)
        assert (code, out) == (expected, "")
        assert bool(err) == (expected == 3)

    @pytest.mark.parametrize(
        ("arguments", "codes"),
        [
            (["btc"], []),
            (["eth"], ["decided"]),
            (["nope"], ["unknown-strategy"]),
            (["eth", "--max-age", "1m"], ["decided", "stale"]),
        ],
    )
    def test_json(self, told, arguments, codes):
        document = told("gate", *arguments)
        assert [reason["code"] for reason in document["reasons"]] == codes
        assert document["open"] == (not codes)
        assert (document["decision"] is None) == (arguments[0] == "nope")

    def test_a_lockdown_closes_it(self, call, state):
        with open_for_writing(state) as store:
            one = event("all", "stop", at=moment(), kind=EventKind.LOCKDOWN)
            store.declare(
                scope=Scope.EXCHANGE, scope_id="mexc", reason="leak", by="bob", at=moment(), event=one
            )
        code, out, _ = call("gate", "btc", "--running")
        assert code == 5
        assert "lockdown 1 of exchange mexc is in force, by bob: leak" in out

    def test_a_state_that_is_missing_or_broken_closes_it(self, call, tmp_path):
        code, out, err = call("gate", "btc", on=str(tmp_path / "nowhere.db"))
        assert (code, out) == (1, "")
        assert "no apply ever recorded anything in it" in err
        (tmp_path / "broken.db").write_bytes(b"what is this" * 1000)
        code, out, err = call("gate", "btc", "--output", "json", on=str(tmp_path / "broken.db"))
        assert (code, out) == (1, "")
        assert "SQLITE_NOTADB" in err

    def test_times_are_read_as_in_the_files(self, told):
        assert told("gate", "btc", "--max-age", "2h")["max_age_seconds"] == 7200
        assert told("gate", "btc")["max_age_seconds"] == 900


class TestStatus:
    def test_the_screen(self, call):
        code, out, err = call("status")
        assert (code, err) == (0, "")
        out = re.sub(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", "MOMENT", out)
        assert out == SCREEN

    def test_a_stream_without_blocks_gets_letters(self, call, monkeypatch):
        stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
        monkeypatch.setattr("sys.stdout", stream)
        call("status", "main")
        out = stream.buffer.getvalue().decode()
        assert "recent     cc\n" in out
        assert "c online, d degraded, r rejected, u unreachable, n unchecked; the newest last" in out
        assert out.isascii()

    def test_a_strategy_brings_its_connection_and_a_connection_its_strategies(self, told):
        for name in ("eth", "pro"):
            document = told("status", name)
            assert [one["id"] for one in document["connections"]] == ["pro"]
            assert [one["id"] for one in document["strategies"]] == ["eth"]
            assert [one["check"] for one in document["conditions"]] == ["withdraw-enabled"]

    def test_a_name_that_is_not_there_is_a_mistake(self, call):
        code, out, err = call("status", "main", "mian")
        assert (code, out) == (3, "")
        assert "called mian" in err

    def test_old_evidence_is_marked(self, call, told):
        _, out, _ = call("status", "--max-age", "1m")
        assert " ".join(out.split()).count("· stale: older than 1m") == 4
        assert "? Online" in out
        assert "(0 online, 2 stale), 2 strategies (0 may run), 0 lockdowns\n" in out
        assert all(one["stale"] for one in told("status", "--max-age", "1m")["connections"])

    def test_json(self, told):
        document = told("status")
        assert document["connections"][0]["recent"] == ["connected", "connected"]
        assert document["connections"][0]["exchange"] == "mexc"
        assert document["passes"][0]["commit"] == "1a2b3c4d5e6f7a8b"
        assert document["lock"] is None

    def test_lockdowns_and_who_applies_are_told(self, call, told, state):
        with open_for_writing(state) as store, store.lease() as lease:
            one = event("all", "stop", at=moment(), kind=EventKind.LOCKDOWN)
            store.declare(scope=Scope.ALL, scope_id="", reason="a leak", by="bob", at=moment(), event=one)
            _, out, _ = call("status")
            assert "! lockdown     1 of everything · since " in out
            assert "    why        a leak\n" in out
            assert f"lock           {lease.token}, held by " in out
            document = told("status")
        assert document["lock"]["id"] == lease.token
        assert document["lockdowns"][0]["scope_id"] is None

    def test_a_state_that_nobody_wrote_is_said_to_hold_nothing(self, call, tmp_path):
        code, out, _ = call("status", on=str(tmp_path / "nowhere.db"))
        assert code == 0
        assert out.endswith("status: nothing is recorded in this state\n")
        assert not (tmp_path / "nowhere.db").exists()


SCREEN = """\
✓ Online       main · mexc
    read       MOMENT, 2 minutes ago · every check passed, 2 times in a row
    recent     ▇▇

! Degraded     pro · kucoin
    read       MOMENT, 2 minutes ago
    fails      withdraw-enabled: the exchange says that this key may withdraw · since
               MOMENT
    recent     ▅

+ may run      btc · on main · in paper

- may not run  eth · on pro · in paper
    why        pro fails withdraw-enabled

recent         ▇ online, ▅ degraded, ▃ rejected, ▁ unreachable, ░ unchecked; the newest last
lock           nobody applies now
passes         1 · MOMENT, 2 minutes ago · exit 5 · by alice@host · commit 1a2b3c4d5e

status: 2 connections (1 online, 0 stale), 2 strategies (1 may run), 0 lockdowns
"""


class TestHistory:
    def test_the_screen(self, call):
        code, out, err = call("history", "--kind", "key-changed")
        assert (code, err) == (0, "")
        assert out.startswith("! 3            key-changed · connection pro · 20")
        assert "    what       third\n    who        alice@host · pass 1 · commit 1a2b3c4d5e\n" in out
        assert out.endswith("history: 1 event\n")

    @pytest.mark.parametrize(
        ("arguments", "expected", "more"),
        [
            ([], [1, 2, 3], False),
            (["--since", "24h"], [2, 3], False),
            (["--since", "90m"], [3], False),
            (["--subject", "pro"], [1, 3], False),
            (["--subject", "pro", "--subject", "main"], [1, 2, 3], False),
            (["--subject", "pro", "--kind", "found"], [1], False),
            (["--limit", "2"], [2, 3], True),
            (["--limit", "3"], [1, 2, 3], False),
            (["--since", "2099-01-01"], [], False),
            (["--since", "2020-01-01T00:00:00+02:00"], [1, 2, 3], False),
        ],
    )
    def test_what_is_asked_for_is_shown_the_newest_last(self, told, arguments, expected, more):
        document = told("history", *arguments)
        assert [one["seq"] for one in document["events"]] == expected
        assert document["more"] == more

    @pytest.mark.parametrize(
        "arguments",
        [["--since", "long ago"], ["--kind", "nonsense"], ["--limit", "0"], ["--expect", "1:" + "0" * 64]],
    )
    def test_what_makes_no_sense_is_a_mistake(self, call, arguments):
        code, out, err = call("history", *arguments)
        assert (code, out) == (3, "")
        assert err

    def test_a_whole_log_is_said_to_be_with_a_head_to_keep(self, call, told):
        code, out, _ = call("history", "--verify")
        assert code == 0
        head = re.search(r"^head           (3:[0-9a-f]{64})$", out, re.MULTILINE)[1]
        assert f"reconcile history --verify --expect {head}\n" in out
        assert out.endswith("history: whole, 3 records\n")
        assert told("history", "--verify", "--expect", head)["verification"]["head"] == head

    def test_an_older_head_is_in_the_log_still(self, call, told, state):
        head = told("history", "--verify")["verification"]["head"]
        with open_for_writing(state) as store:
            store.record_events([event("main", "fourth", at=moment())])
        assert call("history", "--verify", "--expect", head)[0] == 0

    @pytest.mark.parametrize("expected", [f"2:{'0' * 64}", f"9:{'0' * 64}"])
    def test_another_head_than_the_one_kept_is_a_broken_log(self, call, expected):
        code, out, _ = call("history", "--verify", "--expect", expected)
        assert code == 5
        assert "✗ broken       record " in out
        assert "the log was rewritten, or it is another log" in out.replace("\n" + " " * 15, " ")

    @pytest.mark.parametrize("expected", ["", "3", "3:abc", f"x:{'0' * 64}", f"{'9' * 30}:{'0' * 64}"])
    def test_what_is_no_head_is_a_mistake(self, call, expected):
        assert call("history", "--verify", "--expect", expected)[0] == 3

    def test_a_broken_log_is_told_and_exits_5(self, call, told, state):
        with open_for_writing(state) as store:
            statement = sa.update(schema.audit).where(schema.audit.c.seq == 2).values(event="{}")
            store._db.write(lambda db: db.execute(statement))
        code, out, _ = call("history", "--verify")
        assert code == 5
        assert out.startswith("✗ broken       record 2 was changed")
        assert "next" not in out
        assert out.endswith("history: broken, 1 fault, 3 records\n")
        assert len(told("history", "--verify")["verification"]["faults"]) == 1
        code, out, err = call("history")
        assert (code, out) == (1, "")
        assert "not ours" in err
