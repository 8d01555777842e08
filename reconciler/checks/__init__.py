"""Pure rules over (desired, live) and the catalogue that gives each its id, severity, cause and fix."""

from reconciler.checks.catalogue import CATALOGUE, ENTRIES, GUARD_CHECKS, STRATEGY_CHECKS, explain
from reconciler.checks.check import Case, Check
from reconciler.checks.verdict import evaluate, evaluate_strategy, permits, status

__all__ = [
    "CATALOGUE",
    "ENTRIES",
    "GUARD_CHECKS",
    "STRATEGY_CHECKS",
    "Case",
    "Check",
    "evaluate",
    "evaluate_strategy",
    "explain",
    "permits",
    "status",
]
