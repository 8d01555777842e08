"""Logs: on standard error, redacted, and silent unless something is wrong or ``-v`` asks for more."""

from __future__ import annotations

import logging
import sys

import structlog

from reconciler.secrets.redact import RedactingFilter, Redactor


def configure(*, verbose: bool) -> Redactor:
    """Send every log of ours and of our libraries to stderr; give the redactor that all pass through.

    The redactor learns the secrets of the run as they are decrypted. With ``verbose`` warnings show,
    such as a request that is tried again; else errors alone.
    """
    redactor = Redactor()
    level = logging.WARNING if verbose else logging.ERROR
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(RedactingFilter(redactor))
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler], level=level, force=True)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redactor,
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )
    return redactor
