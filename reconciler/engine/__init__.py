"""One pass, and applying its plan."""
