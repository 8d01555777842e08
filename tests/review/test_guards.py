"""What a review foretells of guards: suspensions that come, go or are over, and limits that judge no key."""

from __future__ import annotations

import json

import pytest

from reconciler.desired import load
from reconciler.desired.files import Found, SecretPlace, Source
from reconciler.review.meaning import changes
from reconciler.review.on_merge import consequences, touched

SUSPEND = {"suspend": {"reason": "audit", "until": "2020-12-31"}}


class InMemory:
    """Configuration that lies nowhere but here."""

    top = ""

    def __init__(self, document):
        self.data = json.dumps(document).encode()

    def find(self, paths):
        return Found(sources=[Source(file=str(path), root="", data=self.data, named=True) for path in paths])

    def secret(self, name, *, beside, root):
        return SecretPlace(file=name, real=name)


def document(strategy=None, *, connection=None, runtime=None, **sections):
    base = {"name": "A", "connection": "c", "runtime": "paper", "enabled": True, "pairs": ["BTC/USDT"]}
    credentials = {"name": "C", "exchange": "mexc", "market": "spot", "credentials": "s/c.sops.yaml"}
    return {
        "version": 1,
        "connections": {"c": credentials | (connection or {})},
        "runtimes": {"paper": {"type": "ledger"}, "other": {"type": "ledger"} | (runtime or {})},
        "strategies": {"s": base | (strategy or {})},
    } | sections


def foretold(base, head):
    before, after = (load(["connections.yaml"], files=InMemory(one)) for one in (base, head))
    found = changes(before, after)
    return [
        (one.kind.value, one.reason) for one in consequences(before, after, found, touched(found, (), after))
    ]


@pytest.mark.parametrize(
    "suspended",
    [document(SUSPEND), document(connection=SUSPEND), document(**SUSPEND)],
    ids=["strategy", "connection", "everything"],
)
def test_a_suspension_starts_and_stops_nothing_and_lifting_it_may_start(suspended):
    assert foretold(document(), suspended) == []
    assert foretold(suspended, document()) == [("enable", "nothing suspends it any more: it may start")]


def test_what_would_start_or_change_is_said_to_wait():
    off = document({"enabled": False}, connection=SUSPEND)
    on = document(connection=SUSPEND)
    ((kind, reason),) = foretold(off, on)
    assert (kind, reason.endswith("; not while connection c is suspended")) == ("none", True)
    ((kind, reason),) = foretold(on, document({"risk_level": "aggressive"}, connection=SUSPEND))
    assert (kind, reason) == ("none", "its settings change; not while connection c is suspended")


def test_what_stops_is_not_said_to_wait():
    ((kind, _),) = foretold(document(), document({"enabled": False}, connection=SUSPEND))
    assert kind == "disable"


def test_a_move_to_where_nothing_starts_is_not_half_foretold():
    moved = document({"runtime": "other"}, runtime=SUSPEND)
    ((kind, reason),) = foretold(document(), moved)
    assert (kind, reason.endswith("; not while runtime other is suspended")) == ("none", True)


def test_limits_judge_no_key():
    limits = {"thresholds": {"enable": {"count": 1}}}
    assert foretold(document(), document(policy=limits)) == []
    both = limits | {"max_key_age": "90d"}
    assert [kind for kind, _ in foretold(document(), document(policy=both))] == ["none"]


def test_a_head_whose_suspension_is_over_fails(repo):
    old = "suspend: {reason: audit, until: 2020-12-31}\n"
    repo.write("connections.yaml", f"{repo.config}{old}")
    look = repo.review()
    assert look.fails == {"suspension-expired"}
    assert int(look.exit_code) == 5
    waiver = "{check: key-too-old, connection: kucoin-spare, reason: r, approved_by: b, until: 2020-12-31}"
    approval = "{allow: enable, count: 3, reason: r, approved_by: b, until: 2020-12-31}"
    repo.write("connections.yaml", f"{repo.config}waivers: [{waiver}]\napprovals: [{approval}]\n")
    look = repo.review()
    assert (look.passes, look.advice) == (True, {"waiver-expired", "approval-expired"})
