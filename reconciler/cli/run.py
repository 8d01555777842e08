"""From options to :class:`Settings`, with a progress line while it runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from reconciler.cli.logs import configure
from reconciler.engine.settings import Settings
from reconciler.live.endpoints import parse_endpoints
from reconciler.output.progress import ProgressLine


@contextmanager
def settings_from(
    *,
    endpoints: tuple[str, ...],
    verbose: bool = False,
    **chosen: Any,  # noqa: ANN401 - the other fields of Settings
) -> Iterator[Settings]:
    """The settings that the options ask for; the progress line is erased on the way out."""
    redactor = configure(verbose=verbose)
    with ProgressLine(sys.stderr, isatty=sys.stderr.isatty(), environment=os.environ) as line:
        yield Settings(
            endpoints=parse_endpoints(list(endpoints)), progress=line.show, redactor=redactor, **chosen
        )
