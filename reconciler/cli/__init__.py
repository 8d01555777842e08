"""Click commands, a screen each; no logic."""
