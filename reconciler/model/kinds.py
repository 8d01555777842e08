"""What each failure kind means for people: the one place for its title, cause and fix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from reconciler.model.live import FailureKind as Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class KindText:
    """A failure kind in plain words: a short ``title``, its ``cause`` and its ``fix``, a sentence each."""

    title: str
    cause: str
    fix: str


def _text(title: str, cause: str, fix: str) -> KindText:
    return KindText(title=title, cause=cause, fix=fix)


KINDS: Final[Mapping[Kind, KindText]] = MappingProxyType(
    {
        Kind.INVALID_KEY: _text(
            "Invalid key",
            "The exchange does not know this API key: it was mistyped, deleted, or belongs to another "
            "regional site of the exchange.",
            "Compare the key with the exchange's API page of the same site (global, EU, US, ...); when it"
            " is gone, create a new one and encrypt it into the connection's secret file.",
        ),
        Kind.BAD_SIGNATURE: _text(
            "Wrong secret",
            "The exchange knows the key, but the request was not signed with the secret that belongs to it.",
            "Put the secret that was shown when this key was created into the secret file; if it is lost,"
            " create a new key, as no exchange shows a secret twice.",
        ),
        Kind.WRONG_PASSPHRASE: _text(
            "Wrong passphrase",
            "The passphrase is not the one that was chosen when the key was created.",
            "Put the right passphrase into the secret file; it cannot be looked up, so if it is lost, "
            "create a new key.",
        ),
        Kind.MISSING_PASSPHRASE: _text(
            "Passphrase missing",
            "This exchange needs a passphrase beside key and secret, and the secret file holds none.",
            "Add `passphrase` to the connection's secret file with sops.",
        ),
        Kind.PERMISSION_DENIED: _text(
            "No permission",
            "The key is valid, but it lacks the permission that this request needs.",
            "Grant the missing permission (reading, or trading in this market) on the exchange's API "
            "page; never grant withdrawal.",
        ),
        Kind.IP_NOT_ALLOWED: _text(
            "IP not allowed",
            "The key is bound to a list of addresses, and the address that this request came from is not "
            "on it.",
            "Add the bot's address to the key's IP whitelist on the exchange, or run this check through "
            "the connection's egress.",
        ),
        Kind.KEY_EXPIRED: _text(
            "Key expired",
            "The exchange ended this key on its expiry date.",
            "Create a new key, bound to the bot's address so that it lasts, and encrypt it into the "
            "secret file.",
        ),
        Kind.KEY_DISABLED: _text(
            "Key disabled",
            "The key exists, but it was frozen or switched off by its owner or by the exchange.",
            "Look at the key's state on the exchange's API page; enable it again or replace it.",
        ),
        Kind.ACCOUNT_RESTRICTED: _text(
            "Account restricted",
            "The exchange restricts the account itself (frozen, banned, under risk control or review).",
            "Log in to the account and follow what the exchange asks for, or write to its support.",
        ),
        Kind.CLOCK_SKEW: _text(
            "Clock differs",
            "The request's time is too far from the exchange's clock, so the exchange did not look at the"
            " key.",
            "Synchronise this machine's clock (NTP) and try again.",
        ),
        Kind.RATE_LIMITED: _text(
            "Too many requests",
            "The exchange limits how often this address or account may ask, and the limit was reached.",
            "Wait for the time that the exchange names; check whether other programs ask from the same "
            "address.",
        ),
        Kind.UNAVAILABLE: _text(
            "Exchange unavailable",
            "The exchange, or the way to it, did not answer: no connection, a time-out, or a server error.",
            "Try again later; if it lasts, check the exchange's status page, this machine's network and "
            "the egress's proxy.",
        ),
        Kind.MAINTENANCE: _text(
            "Exchange in maintenance",
            "The exchange says that it is being maintained.",
            "Wait until the exchange's status page says that it is over.",
        ),
        Kind.REGION_BLOCKED: _text(
            "Region blocked",
            "The exchange does not serve the country that this request came from.",
            "Use an egress in a country that the exchange serves and that your account belongs to.",
        ),
        Kind.WRONG_ENVIRONMENT: _text(
            "Wrong environment",
            "The key belongs to another environment of the exchange (test net or demo instead of live, or"
            " the reverse).",
            "Create a key in the live environment, and put it into the secret file.",
        ),
        Kind.WRONG_ACCOUNT_MODE: _text(
            "Wrong account mode",
            "The account is in a mode (classic or unified) for which this request does not exist.",
            "Check the account mode on the exchange and the connection's `market`.",
        ),
        Kind.AMBIGUOUS_AUTH: _text(
            "Refused, reason unclear",
            "The exchange gives one answer for several causes, so no single one can be named.",
            "Go through the candidates one by one: key and secret, the IP whitelist, the permissions.",
        ),
        Kind.BAD_REQUEST: _text(
            "Request not understood",
            "The exchange found fault with the request itself and says nothing about the key.",
            "Report this with the exchange's code: it is a fault of this tool or a change at the exchange.",
        ),
        Kind.UNEXPECTED_RESPONSE: _text(
            "Unexpected answer",
            "The answer has a shape that this tool does not know, so nothing can be concluded from it.",
            "Try again; if it lasts, something between (a proxy, a captive portal) answers instead of the"
            " exchange, or the exchange changed: report it.",
        ),
    }
)
