"""Files to model: a line-marked loader, the schema, references, several files merged."""

from reconciler.desired.assemble import load

__all__ = ["load"]
