"""What a pass leaves behind: every event once, in a chain that holds, and nothing by a dry run."""

from __future__ import annotations

from dataclasses import replace

from reconciler.model.event import EventKind
from reconciler.model.finding import Verdict
from reconciler.model.memory import May
from reconciler.state.store import open_for_reading

APPLY = ("--yes",)
WIDER = "SPOT_ACCOUNT_READ,SPOT_DEAL_WRITE,SPOT_DEAL_READ,SPOT_WITHDRAW_WRITE"


def state(site):
    return open_for_reading(f"sqlite:///{site.state}")


def told(site, after=0):
    """Kind, subject and check of what happened since."""
    return [
        (one.event.kind, one.event.subject_id, one.event.check) for one in state(site).events(after=after)
    ]


def test_what_happens_is_told_once_with_who_did_it(site):
    site.call(*APPLY)
    first = told(site)
    assert (EventKind.ENABLED, "btc-eth-recovery", None) in first
    assert (EventKind.FOUND, "recovery-pro", "withdraw-enabled") in first
    assert len(first) == len(set(first))
    head = state(site).audit_head()
    site.call(*APPLY)
    assert told(site, after=head.seq) == [], "nothing turned"
    origins = {(one.event.origin.by, one.event.origin.pass_id) for one in state(site).events()}
    assert len(origins) == 1
    assert state(site).audit_faults() == ()


def test_a_dry_run_tells_nothing(site):
    site.call("--dry-run")
    assert not site.state.exists()
    site.call(*APPLY)
    head = state(site).audit_head()
    before = state(site).readings()
    site.key("mexc-spot-main").permissions = WIDER
    site.call("--dry-run")
    assert state(site).audit_head() == head
    assert state(site).readings() == before


def test_a_key_that_may_withdraw_now_is_found_told_and_its_strategy_stopped_then_all_is_told_gone(site):
    site.call(*APPLY)
    key, seq = site.key("mexc-spot-main"), state(site).audit_head().seq
    kept = key.permissions
    key.permissions = WIDER
    site.call(*APPLY)
    assert told(site, after=seq) == [
        (EventKind.KEY_CHANGED, "mexc-spot-main", None),
        (EventKind.DISABLED, "btc-eth-recovery", "withdraw-enabled"),
        (EventKind.FOUND, "mexc-spot-main", "withdraw-enabled"),
    ]
    permit = state(site).permits()["btc-eth-recovery"]
    assert (permit.may, permit.checks) == (May.STOP, ("withdraw-enabled",))
    seq, key.permissions = state(site).audit_head().seq, kept
    site.call(*APPLY)
    assert told(site, after=seq) == [
        (EventKind.KEY_CHANGED, "mexc-spot-main", None),
        (EventKind.ENABLED, "btc-eth-recovery", None),
        (EventKind.GONE, "mexc-spot-main", "withdraw-enabled"),
    ]
    assert state(site).permits()["btc-eth-recovery"].may is May.RUN


def test_an_outage_is_told_as_one_trouble_and_keeps_what_was_known_of_the_key(site):
    site.call(*APPLY)
    known, seq = state(site).readings()["mexc-spot-main"], state(site).audit_head().seq
    site.key("mexc-spot-main").faults.outage = 503
    site.call(*APPLY)
    now = state(site).readings()["mexc-spot-main"]
    assert now.reading.verdict is Verdict.UNKNOWN
    assert now.reading.key == known.reading.key
    assert (now.streak, known.streak) == (0, 1)
    assert now.unknown_since == now.reading.at
    assert {check for _, subject, check in told(site, after=seq) if subject == "mexc-spot-main"} == {
        "connection-test"
    }


def test_what_left_the_files_is_forgotten_and_told_gone(site):
    site.call(*APPLY)
    seq = state(site).audit_head().seq

    def leave(document):
        del document["connections"]["recovery-pro"]
        del document["strategies"]["eth-deep-recovery"]

    site.edit(leave)
    site.call(*APPLY)
    assert "recovery-pro" not in state(site).readings()
    assert "eth-deep-recovery" not in state(site).permits()
    assert (EventKind.GONE, "recovery-pro", "withdraw-enabled") in told(site, after=seq)


def test_a_pass_over_one_target_leaves_all_others_as_they_are(site):
    site.call(*APPLY)
    seq, before = state(site).audit_head().seq, state(site).readings()
    site.key("mexc-spot-main").permissions = WIDER
    site.call(*APPLY, "--target", "recovery-pro")
    assert told(site, after=seq) == []
    after = state(site).readings()
    assert after["mexc-spot-main"] == before["mexc-spot-main"]
    assert after["recovery-pro"].reading.at > before["recovery-pro"].reading.at
    assert replace(
        after["recovery-pro"], reading=before["recovery-pro"].reading, streak=0, recent=""
    ) == replace(before["recovery-pro"], streak=0, recent="")
