"""The last net under secrets: text that leaves the process is cleared of them, however they were spelt."""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Iterable, Mapping, MutableMapping
from threading import Lock
from typing import Any, Final

from reconciler.model.secret import MASK, Secret
from reconciler.secrets.spellings import MIN_LENGTH, spellings

_SIGNED_QUERY: Final = re.compile(
    r"\?[^\s\"'<>?]*?(?:signature|sign|access_?key(?:_?id)?|api_?key|api-key|token|passphrase|secret)=[^\s\"'<>]*",
    re.IGNORECASE,
)
_USERINFO: Final = re.compile(r"(?<=://)[^/\s@\"'<>]+@")


class Redactor:
    """Knows the secrets of a run and takes them out of text.

    Each secret of four characters or more is found as it is, URL-quoted, escaped for JSON and
    Python, and inside base64; the queries of signed URLs and passwords in URLs go
    whether their values are known or not. The time for a text does not depend on how many secrets are known.
    """

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        self._by_start: dict[str, tuple[str, ...]] = {}
        self._learning = Lock()
        self.add(secrets)

    def __repr__(self) -> str:
        return "Redactor()"

    def add(self, secrets: Iterable[Secret]) -> None:
        """Learn more secrets, at any time and from any thread."""
        forms = [form for secret in secrets for form in spellings(secret.reveal())]
        with self._learning:
            known = dict(self._by_start)
            for form in forms:
                start = form[:MIN_LENGTH]
                # The longest first: a form can be the beginning of another.
                known[start] = tuple(sorted({*known.get(start, ()), form}, key=len, reverse=True))
            self._by_start = known

    def text(self, text: str) -> str:
        """``text`` with every secret masked and every signed URL cut to scheme, host and path."""
        # Masked first, since a cut could leave half a secret; and again, since it could join two halves.
        cut = _USERINFO.sub(f"{MASK}@", _SIGNED_QUERY.sub("", self._masked(text)))
        return self._masked(cut)

    def _masked(self, text: str) -> str:
        known = self._by_start
        if not known:
            return text
        pieces: list[str] = []
        kept = covered = 0
        for at in range(len(text) - MIN_LENGTH + 1):
            forms = known.get(text[at : at + MIN_LENGTH])
            found = next((form for form in forms if text.startswith(form, at)), None) if forms else None
            if not found:
                continue
            if at >= covered:
                pieces += (text[kept:at], MASK)
            # Secrets may overlap: the mask covers all of them.
            covered = max(covered, at + len(found))
            kept = covered
        return "".join((*pieces, text[kept:]))

    def value(self, value: Any) -> Any:  # noqa: ANN401 - log events hold anything
        """``value`` with every text in it redacted; what is no plain data becomes its redacted ``repr``."""
        match value:
            case str():
                return self.text(value)
            case None | bool() | int() | float():
                return value
            case Mapping():
                return {self.value(key): self.value(item) for key, item in value.items()}
            case list() | tuple() | set() | frozenset():
                return [self.value(item) for item in value]
            case bytes() | bytearray():
                return self.text(value.decode("utf-8", "replace"))
            case _:
                return self.text(repr(value))

    def __call__(self, logger: object, method: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
        """A structlog processor: put it last before the renderer, after exceptions became text."""
        del logger, method
        return {str(self.value(key)): self.value(item) for key, item in event.items()}


class RedactingFilter(logging.Filter):
    """Redacts what the standard library's logging is about to write; put it on every handler.

    A traceback becomes text here and is redacted as well. Lets every record through.
    """

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact ``record`` in place."""
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):
            # Arguments that do not fit: logging would print them raw.
            message = str(record.msg)
        record.msg, record.args = self._redactor.text(message), None
        if record.exc_info and record.exc_info[0]:
            record.exc_text = "".join(traceback.format_exception(*record.exc_info))
        if record.exc_text:
            record.exc_text = self._redactor.text(record.exc_text)
        if record.stack_info:
            record.stack_info = self._redactor.text(record.stack_info)
        record.exc_info = None
        return True
