"""Files to model: a line-marked loader, the schema, references, several files merged."""

from reconciler.desired.assemble import Loaded, load, load_sound

__all__ = ["Loaded", "load", "load_sound"]
