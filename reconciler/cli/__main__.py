"""``python -m reconciler.cli`` is ``reconcile``."""

from __future__ import annotations

from reconciler.cli.entry import main

if __name__ == "__main__":
    main()
