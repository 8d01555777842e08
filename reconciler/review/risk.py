"""Which way one changed value moves what can be lost, by section and path. Pure rules, a line each.

Whatever no rule names has no direction: it is shown, and its reader judges.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypeAlias

from reconciler.model.review import Risk

Judgement: TypeAlias = tuple[Risk, str]
"""A direction, and the reason in a few words (empty without a direction)."""

Rule: TypeAlias = Callable[[Any, Any], Judgement]
"""From the old and the new value, ``None`` where nothing stood, to a judgement."""

NEUTRAL: Final[Judgement] = (Risk.NONE, "")

_DURATION: Final = re.compile(r"(\d+)([smhd])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def up(why: str) -> Judgement:
    """More can be lost."""
    return Risk.UP, why


def down(why: str) -> Judgement:
    """Less can be lost."""
    return Risk.DOWN, why


def judge(section: str, path: str, old: object, new: object) -> Judgement:
    """The direction of one change in an item that both sides have."""
    for pattern, rule in _RULES.get(section, ()):
        if pattern.fullmatch(path):
            return rule(old, new)
    return NEUTRAL


def judge_new(section: str, path: str, new: object) -> Judgement:
    """The direction of a value in an item that is new: what is a risk in itself."""
    alone = _OF_ITSELF.get(section)
    return judge(section, path, None, new) if alone and alone.fullmatch(path) else NEUTRAL


def _number(value: object) -> Decimal | None:
    """A number, a percentage or a duration as a number; ``None`` for anything else."""
    text = str(value).removesuffix("%")
    if found := _DURATION.fullmatch(text):
        return Decimal(int(found[1]) * _SECONDS[found[2]])
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _limit(what: str, *, lower_is_up: bool = False) -> Rule:
    """A bound: raised or taken away is up, lowered or newly set is down."""

    def rule(old: object, new: object) -> Judgement:
        if new is None:
            return up(f"{what} is no longer limited")
        if old is None:
            return down(f"{what} is now limited")
        before, after = _number(old), _number(new)
        if before is None or after is None or before == after:
            return NEUTRAL
        word = "raised" if after > before else "lowered"
        return (up if (after > before) != lower_is_up else down)(f"{what} is {word}")

    return rule


def _amount(what: str, *, lower_is_up: bool = False) -> Rule:
    """A figure that is a risk by being there at all: newly set is up, taken away is down."""
    compare = _limit(what, lower_is_up=lower_is_up)

    def rule(old: object, new: object) -> Judgement:
        if old is None:
            return up(f"{what} is new")
        return down(f"{what} is gone") if new is None else compare(old, new)

    return rule


def _members(what: str, *, none_is_all: bool = False) -> Rule:
    """A set: a new member is up, fewer are down. With ``none_is_all`` an absent set allows everything."""

    def rule(old: Sequence[str] | None, new: Sequence[str] | None) -> Judgement:
        if none_is_all and not new:
            return up(f"{what} are no longer limited")
        if none_is_all and not old:
            return down(f"{what} are now limited")
        more, less = set(new or ()) - set(old or ()), set(old or ()) - set(new or ())
        if more:
            return up(f"more {what}")
        return down(f"fewer {what}") if less else NEUTRAL

    return rule


def _ranked(what: str, ranks: Sequence[object], *, unknown: int | None = None) -> Rule:
    """Words in the order of their risk. An absent one stands at the rank ``unknown``, or has no direction."""

    def rank(value: object) -> int | None:
        return ranks.index(value) if value in ranks else unknown

    def rule(old: object, new: object) -> Judgement:
        before, after = rank(old), rank(new)
        if before is None or after is None or before == after:
            return NEUTRAL
        return up(f"{what} is wider") if after > before else down(f"{what} is narrower")

    return rule


def _always(why: str) -> Rule:
    """A change that a reviewer must see whichever way it goes."""
    return lambda _old, _new: up(why)


def _pin(what: str) -> Rule:
    """Something that binds: taken away or replaced is up, newly set is down."""

    def rule(old: object, new: object) -> Judgement:
        if new is None:
            return up(f"nothing pins the {what} any more")
        return down(f"the {what} is now pinned") if old is None else up(f"another {what}")

    return rule


def _word(what: str) -> Rule:
    """A person's word in place of the exchange's: given or renewed is up, taken back is down."""

    def rule(_old: object, new: object) -> Judgement:
        return (
            down(f"{what} is taken back")
            if new is None
            else up(f"{what} is a person's word, not the exchange's")
        )

    return rule


def _later(what: str) -> Rule:
    """A date by which an exception ends."""

    def rule(old: object, new: object) -> Judgement:
        if new is None or (old is not None and str(new) < str(old)):
            return down(f"{what} ends earlier")
        return up(f"{what} lasts longer")

    return rule


def _windows(old: Sequence[str] | None, new: Sequence[str] | None) -> Judgement:
    """The times of starts and changes: wider where one is no longer denied, or one more is allowed."""
    denied, no_longer = _kinds("deny", new, old), _kinds("deny", old, new)
    allowed, taken = _kinds("allow", new, old), _kinds("allow", old, new)
    always = any(map(_allows, old or ())) and not any(map(_allows, new or ()))
    first = not any(map(_allows, old or ()))
    if no_longer or always or (allowed and not first):
        return up("strategies may start and change at more times")
    if denied or allowed or taken:
        return down("strategies may start and change at fewer times")
    return NEUTRAL


def _kinds(kind: str, these: Sequence[str] | None, those: Sequence[str] | None) -> set[str]:
    """The windows of a kind that stand in one list and not in the other."""
    return {one for one in {*(these or ())} - {*(those or ())} if one.startswith(kind)}


def _allows(window: str) -> bool:
    return window.startswith("allow")


def _suspended(old: object, new: object) -> Judgement:
    """The last day of a stand-still."""
    if new is None:
        return up("no longer suspended: strategies may start and change again")
    if old is None:
        return down("suspended: strategies neither start nor change")
    return down("the suspension lasts longer") if str(new) > str(old) else up("the suspension ends earlier")


def _enabled(old: object, new: object) -> Judgement:
    if new is True:
        return up("the strategy may start")
    return down("the strategy stops") if old is True else NEUTRAL


def _recovery(old: object, new: object) -> Judgement:
    if new is True:
        return up("recovery mode is on")
    return down("recovery mode is off") if old is True else NEUTRAL


def _whitelist(_old: object, new: object) -> Judgement:
    return down("the IP whitelist is required") if new == "required" else up("the IP whitelist is optional")


def _drawdown(old: object, new: object) -> Judgement:
    """It comes and goes with recovery mode, which says the direction then."""
    return NEUTRAL if old is None or new is None else _limit("the drawdown")(old, new)


def _risk_level(old: object, new: object) -> Judgement:
    if new is None:
        return up("the risk level is no longer stated")
    if old is None:
        return up("the risk level is aggressive") if new == "aggressive" else NEUTRAL
    return _ranked("the risk level", ("conservative", "balanced", "aggressive"))(old, new)


def _currency(old: object, new: object) -> Judgement:
    """Amounts in two currencies cannot be compared; a limit that comes or goes is told by its amount."""
    return NEUTRAL if old is None or new is None else up("the limit is in another currency")


def _addressed(old: object, new: object) -> Judgement:
    if new is None:
        return up("no egress says which addresses the key must be bound to")
    return down("the key must be bound to an egress") if old is None else up("the bot leaves from elsewhere")


def _proxied(_old: object, new: object) -> Judgement:
    return NEUTRAL if new is None else up("signed requests go through this proxy")


def _command(_old: object, new: object) -> Judgement:
    if new is None:
        return down("this program is no longer run")
    return up("this program is run where the operator allows commands")


def _recipients(_old: object, new: object) -> Judgement:
    """The leaf that stands where no recipient is named."""
    if new is None:
        return down("only named people may open secrets")
    return up("whoever has an age or PGP key may be given the secrets")


def _rules(*rows: tuple[str, Rule]) -> tuple[tuple[re.Pattern[str], Rule], ...]:
    return tuple((re.compile(pattern), rule) for pattern, rule in rows)


#: What is a risk by standing in a new item.
_OF_ITSELF: Final = {
    "connections": re.compile(r"attestations\..+\.on"),
    "egress": re.compile("proxy"),
    "runtimes": re.compile("command"),
}

_ON_DISABLE: Final = _ranked(
    "what a stop leaves unmanaged", ("close_first_manual", "stop_entries", None, "stop"), unknown=2
)

_SUSPEND: Final = (r"suspend\.until", _suspended)

_RULES: Final = {
    "connections": _rules(
        ("exchange", _always("another exchange")),
        ("market", _ranked("the market", ("spot", "margin", "futures"))),
        ("egress", _addressed),
        ("credentials", _always("another secret may hold another key")),
        (r"account\.uid", _pin("account")),
        (r"permissions\..+", _ranked("the permission", (False, None, True), unknown=1)),
        (r"attestations\..+\.on", _word("the attestation")),
        _SUSPEND,
    ),
    "egress": _rules(("addresses", _members("addresses")), ("proxy", _proxied), _SUSPEND),
    "runtimes": _rules(
        ("type|url|credentials|namespace", _always("strategies run elsewhere")),
        ("command", _command),
        ("insecure_http", _ranked("what others can read on the way", (False, True), unknown=0)),
        ("replicas_in_git", _ranked("what may undo a stop", ("refuse", "ignore"), unknown=0)),
        ("disable", _ON_DISABLE),
        ("mode", _ranked("the money at risk", ("dry_run", None, "live"), unknown=1)),
        _SUSPEND,
    ),
    "strategies": _rules(
        _SUSPEND,
        ("enabled", _enabled),
        ("on_disable", _ON_DISABLE),
        ("connection", _always("the strategy trades on another key")),
        (
            r"runtime|settings\.(workload|bot|controller|bot_id|account_id)",
            _always("the strategy runs elsewhere"),
        ),
        ("pairs", _members("pairs")),
        ("risk_level", _risk_level),
        (r"margin_limit\.amount", _limit("the margin")),
        (r"margin_limit\.currency", _currency),
        (r"averaging\.max_additions", _amount("the number of additions")),
        (r"averaging\.multiplier", _amount("the size of additions")),
        (r"averaging\.step", _amount("the fall before an addition", lower_is_up=True)),
        (r"recovery_mode\.enabled", _recovery),
        (r"recovery_mode\.max_drawdown", _drawdown),
    ),
    "policy": _rules(
        ("ip_whitelist", _whitelist),
        ("max_key_age", _limit("the age of keys")),
        ("unknown_grace", _limit("the time without evidence")),
        ("on_unknown", _ranked("what unknown leads to", ("disable", "hold"))),
        ("on_disable", _ON_DISABLE),
        ("settle", _limit("the passes before a start", lower_is_up=True)),
        ("expiry_warning", _limit("the warning before expiry", lower_is_up=True)),
        ("attestation_max_age", _limit("the age of attestations")),
        (r"max_[a-z_]+(\.amount)?", _limit("what a strategy may do")),
        (r"max_[a-z_]+\.currency", _currency),
        (r"allowed_[a-z_]+", _members("choices", none_is_all=True)),
        (r"thresholds\.(enable|disable)\..+", _limit("what may happen at once")),
        ("windows", _windows),
        ("recipients", _recipients),
        (r"recipients\..+", _members("people who may open secrets")),
    ),
    "waivers": _rules(("until", _later("the exception"))),
    "suspend": _rules(("until", _suspended)),
    "approvals": _rules(("until", _later("the exception")), ("count", _limit("what may happen at once"))),
    "rules": _rules(
        (r".*\bholders", _members("people who can open new secret files")),
        (r".*\bkey_groups", _always("other people hold the parts of the data key")),
        (r".*\bleft_in_clear", _members("secret fields in clear")),
        (r".*\bmac_only_encrypted", _ranked("what the MAC leaves out", (False, True), unknown=0)),
        (r".*\bshamir_threshold", _limit("the number of parts that open a file", lower_is_up=True)),
        ("destinations", _members("places that secrets may be published to")),
        ("order", _always("another rule may be the first that fits")),
    ),
    "secrets": _rules(
        ("key_groups", _always("other people hold the parts of the data key")),
        ("left_in_clear", _members("secret fields in clear at the next edit")),
        ("connection|exchange|runtime|url", _always("the secret is bound to something else")),
        ("mac_only_encrypted", _ranked("what the MAC leaves out", ("false", "true"), unknown=0)),
        ("shamir_threshold", _limit("the number of parts that open the file", lower_is_up=True)),
    ),
}
