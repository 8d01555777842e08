"""Pure rules over (desired, live) and the catalogue that gives each its id, severity, cause and fix."""

from reconciler.checks.catalogue import CATALOGUE, explain
from reconciler.checks.check import Case, Check
from reconciler.checks.verdict import evaluate, permits, status

__all__ = ["CATALOGUE", "Case", "Check", "evaluate", "explain", "permits", "status"]
