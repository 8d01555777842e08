"""One number over everything that a reviewer of a plan agreed to."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

from reconciler.model.desired import Desired
from reconciler.model.finding import Finding
from reconciler.model.live import KeyReport
from reconciler.model.plan import Action
from reconciler.model.report import ConnectionReport
from reconciler.planning.canonical import Json, dumps, plain

#: Raised whenever the same plan would give another digest.
VERSION: Final = 5

#: Ends that are counted in days from now by some exchanges (MEXC) drift by themselves; what they
#: mean stands in the findings.
_DRIFTING = frozenset({"expires_at", "trade_expires_at"})
_PASSING = frozenset({"reason", "open_positions"})


def digest(
    desired: Desired,
    reports: Iterable[ConnectionReport],
    actions: Iterable[Action],
    *,
    targets: Sequence[str] = (),
) -> str:
    """SHA-256 in hex over desired, live, findings and actions.

    Unchanged by the order of items, by re-encrypting or moving files, and by time passing as long
    as no finding or action turns with it; changed by anything else that a plan shows.
    """
    document = {
        "version": VERSION,
        "desired": plain(desired),
        "live": {report.connection.id: _live(report) for report in reports},
        "actions": sorted((_action(action) for action in actions), key=dumps),
        "targets": sorted(targets),
    }
    return hashlib.sha256(dumps(document).encode()).hexdigest()


def _live(report: ConnectionReport) -> Json:
    observation = report.observation
    return {
        "key": None if observation.report is None else _key(observation.report),
        "failure": None if observation.failure is None else observation.failure.kind.value,
        "findings": sorted((_finding(finding) for finding in report.findings), key=dumps),
    }


def _key(report: KeyReport) -> Json:
    return {name: value for name, value in plain(report).items() if name not in _DRIFTING}


def _finding(finding: Finding) -> list[str | None]:
    """Without its evidence, which counts days and seconds."""
    return [finding.check, finding.verdict, finding.severity, finding.waived_by, finding.attested_by]


def _action(action: Action) -> Json:
    """Without its reason, which counts minutes, and what it holds, which comes and goes."""
    return {name: value for name, value in plain(action).items() if name not in _PASSING}
