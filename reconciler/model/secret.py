"""Values that must never be seen: :class:`Secret`, :class:`Credentials` and their fingerprint."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final, NoReturn

MASK: Final = "********"
MIN_FINGERPRINT_KEY: Final = 16


class Secret:
    """A string that shows itself as a mask in ``str``, ``repr``, ``format`` and every formatter.

    Only :meth:`reveal` gives the value; call it as late as possible, at the place that signs.
    It cannot be pickled, compared as text or iterated.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The plain value. Never log, store or format what this returns."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    __hash__ = None  # type: ignore[assignment]  # a hash would be an unkeyed oracle

    def __bool__(self) -> bool:
        return bool(self._value)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or copied by pickling")

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What signs for one connection: API key, secret and, where the exchange has one, passphrase."""

    api_key: Secret
    secret: Secret
    passphrase: Secret | None = None

    def all(self) -> tuple[Secret, ...]:
        """Every secret held, for redaction."""
        held = (self.api_key, self.secret, self.passphrase)
        return tuple(value for value in held if value)


def fingerprint(secret: Secret, key: bytes) -> str:
    """Sixteen hex digits that tell whether two secrets are equal, useless without ``key``.

    ``key`` is at least 16 random bytes that never lie beside the configuration, else a short
    secret could be guessed from its fingerprint.
    """
    if len(key) < MIN_FINGERPRINT_KEY:
        raise ValueError("a fingerprint key has at least 16 bytes")
    return hmac.new(key, secret.reveal().encode(), hashlib.sha256).hexdigest()[:16]
