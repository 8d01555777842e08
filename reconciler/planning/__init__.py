"""From verdicts and runtime states to an ordered plan with a digest; pure."""

from reconciler.planning.file import PlanFile, to_json
from reconciler.planning.gate import Gate, gate
from reconciler.planning.plan import ended, make_plan
from reconciler.planning.reader import from_json

__all__ = ["Gate", "PlanFile", "ended", "from_json", "gate", "make_plan", "to_json"]
