"""What guards say: limits on how much happens at once, and the exceptions to them that are over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from reconciler.checks.check import Entry
from reconciler.model.errors import ExitCode
from reconciler.model.finding import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardCheck(Entry):
    """The texts of a guard, which the plan itself decides. ``exit_code`` is that of a run it fails."""

    exit_code: ExitCode = ExitCode.DONE
    waivable: bool = False


CHECKS: Final = (
    GuardCheck(
        id="threshold-enable",
        title="Few enough start at once",
        asks="Do at most as many start at once as `policy.thresholds.enable` or an approval allows?",
        cause="One pass would start more strategies than the team lets start without a second look.",
        fix="Approve the number in git under `approvals`, with an end, or enable fewer at once.",
        explanation=(
            "Nothing is enabled while the limit is exceeded, not even a part. Whatever stops still stops. "
            "A limit of 0 lets nothing start."
        ),
        exit_code=ExitCode.THRESHOLD,
    ),
    GuardCheck(
        id="threshold-disable",
        title="Few enough are stopped by the files at once",
        asks="Do the files stop at most as many as `policy.thresholds.disable` or an approval allows?",
        cause="Many strategies were removed, moved or switched off in the files, perhaps by accident.",
        fix="Put them back, or approve the number in git under `approvals`, with an end.",
        explanation=(
            "Only what the files alone would stop is counted and waits, and nothing starts meanwhile, as the "
            "files are in doubt. A strategy whose key fails a check, is unknown beyond its grace, or whose "
            "settings break policy is stopped at once, whatever the number. Two are always within the "
            "percentage, unless it is 0; files without any strategy always need an approval."
        ),
        exit_code=ExitCode.THRESHOLD,
    ),
    GuardCheck(
        id="suspended",
        title="Nothing is suspended",
        asks="Is nothing suspended in the files?",
        cause="Somebody suspended it: strategies that it concerns are neither started nor changed.",
        fix="Nothing, if it is meant; else remove `suspend`.",
        explanation=(
            "What runs goes on as it is. It still stops when a check fails, when its checks stay unknown "
            "beyond the grace, and when git stops or removes it."
        ),
        severity=Severity.ADVISORY,
    ),
    GuardCheck(
        id="suspension-expired",
        title="No suspension is over",
        asks="Is every suspension within its time?",
        cause="The last day of the suspension has passed, and nobody removed or renewed it.",
        fix="Remove `suspend` to let the strategies start and change again, or give it a later `until`.",
        explanation=(
            "Trading does not resume because nobody looked: a suspension holds beyond its end (UTC), and "
            "every run fails until a person decides."
        ),
        exit_code=ExitCode.BLOCKED,
    ),
    GuardCheck(
        id="maintenance-window",
        title="Nothing waits for a window",
        asks="May everything that is to start or change do so at this time of the week?",
        cause="`policy.windows` does not let strategies start or change now.",
        fix="Nothing: a pass at a time that is allowed does it. To do it now, change the windows in git.",
        explanation=(
            "With windows of kind allow, strategies start, change and move only while one is open; never "
            "while one of kind deny is. Stops never wait for a window."
        ),
        severity=Severity.ADVISORY,
    ),
    GuardCheck(
        id="settling",
        title="Keys have settled",
        asks="Did the checks of the key pass in as many passes in a row as `policy.settle` asks?",
        cause="The checks have not passed for long enough for the loop to start anything on the key.",
        fix="Nothing: the strategy starts by itself once the checks have passed often enough.",
        explanation=(
            "A key whose checks fail and pass in turn would start and stop its strategies in turn. Stops "
            "never wait. A single run, in which a person or a reviewed plan decides, starts at once."
        ),
        severity=Severity.ADVISORY,
    ),
    GuardCheck(
        id="open-positions",
        title="Nothing waits for its positions to be closed",
        asks="Is nothing that the files stop waiting until its open positions are closed by hand?",
        cause="`on_disable: close_first_manual` stops it altogether only once nothing is open.",
        fix="Close its positions by hand, then run again; or choose another `on_disable`.",
        explanation=(
            "It opens nothing any more, and goes on managing what is open. This tool closes no position. "
            "Where its runtime does not tell what is open it waits, too. A stop for safety never waits: it "
            "stops the entries at once (docs/positions.md)."
        ),
        severity=Severity.ADVISORY,
    ),
    GuardCheck(
        id="lockdown",
        title="No lockdown is in force",
        asks="Is no emergency stop in force?",
        cause="Somebody ran `reconcile lockdown`: nothing that it covers may run, whatever the files say.",
        fix="Once keys were rotated, end it by its number, as in `reconcile lockdown --lift 1`.",
        explanation=(
            "A lockdown stands in the state, not in git, so that it works when git does not. It has no end "
            "of its own: a person lifts it. Until then every pass stops what it covers and fails."
        ),
        exit_code=ExitCode.BLOCKED,
    ),
    GuardCheck(
        id="approval-expired",
        title="Approvals are running",
        asks="Is every approval still running?",
        cause="An approval reached its end, and the policy's own limit holds again.",
        fix="Remove the approval, or have a new one reviewed.",
        explanation=(
            "An approval raises a limit until the end of its last day (UTC). It touches no check and never "
            "lets a strategy run on a key that can withdraw."
        ),
        severity=Severity.ADVISORY,
    ),
)
