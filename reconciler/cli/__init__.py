"""Click commands, a screen each; no logic."""

from __future__ import annotations

from reconciler.cli.entry import main

__all__ = ["main"]
