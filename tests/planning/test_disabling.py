"""How a plan disables: as the files choose for the runtime, else as its type does by itself."""

from __future__ import annotations

import pytest

from reconciler.model.desired import OnDisable
from reconciler.planning.disabling import Can

STOP, ENTRIES = OnDisable.STOP, OnDisable.STOP_ENTRIES
ABILITIES = {"bot": Can(disables=(ENTRIES, STOP)), "switch": Can(disables=(STOP,))}


def the_plan(make, kind, chosen=None, **fields):
    spec = make.runtime("paper", type=kind, options={"disable": chosen} if chosen else {})
    desired = make.desired(make.strategy(**fields), runtimes={"paper": spec})
    running = {"paper": make.running("grid")}
    return make.plan(desired, runtimes=running, abilities=ABILITIES)


@pytest.mark.parametrize(
    ("kind", "chosen", "how"),
    [
        ("bot", None, ENTRIES),
        ("bot", "stop_entries", ENTRIES),
        ("bot", "stop", STOP),
        ("switch", None, STOP),
        ("nobody-knows", None, STOP),
    ],
)
def test_a_disabling_says_how(make, kind, chosen, how):
    (action,) = the_plan(make, kind, chosen, enabled=False).actions
    assert (action.kind, action.how) == ("disable", how)


def test_how_is_part_of_what_was_reviewed(make):
    digests = {the_plan(make, "bot", chosen, enabled=False).digest for chosen in ("stop_entries", "stop")}
    assert len(digests) == 2


def test_what_does_not_disable_says_nothing_of_it(make):
    (action,) = the_plan(make, "bot").actions
    assert (action.kind, action.how) == ("none", None)
