"""The catalogues: every check by id, and :func:`explain`, which puts one into words."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from textwrap import fill
from types import MappingProxyType
from typing import Final

from reconciler.checks import (
    account,
    bot,
    guards,
    key_life,
    market,
    naming,
    permissions,
    reading,
    runtime,
    sharing,
    strategy,
    taking,
    waivers,
    whitelist,
)
from reconciler.checks.check import Answer, Case, Check, Entry, failed, passed
from reconciler.model.doubts import DOUBTS, Doubt
from reconciler.model.errors import UsageError
from reconciler.model.finding import Severity
from reconciler.model.kinds import KINDS, KindText
from reconciler.model.live import RETRYABLE, FailureKind
from reconciler.model.report import Weight
from reconciler.model.runtime_kinds import RUNTIME_KINDS, RuntimeFailureKind

WIDTH: Final = 88


def waiver_void(case: Case) -> Answer:
    """Whether every waiver of the connection names a check that can be waived."""
    void = [waiver for waiver in waivers.of(case) if not _waivable(waiver.check)]
    if not void:
        return passed("every waiver names a check that can be waived")
    named = ", ".join(sorted({waiver.check for waiver in void}))
    return failed(f"waived without effect: {named}", mark=void[0].mark)


def _waivable(check: str) -> bool:
    found = CATALOGUE.get(check)
    return found is not None and found.waivable


_VOID = Check(
    id="waiver-void",
    title="Waivers have an effect",
    asks="Does every waiver of the connection name a check that can be waived?",
    cause="The waiver names a check that does not exist, or one that nothing may waive.",
    fix="Correct the check's id, or remove the waiver.",
    explanation="A waiver that waives nothing misleads reviewers: it looks like an approval and is none.",
    rule=waiver_void,
    severity=Severity.ADVISORY,
)

_ALL = (
    *reading.CHECKS,
    *permissions.CHECKS,
    *whitelist.CHECKS,
    *account.CHECKS,
    *key_life.CHECKS,
    *sharing.CHECKS,
    *naming.CHECKS,
    waivers.EXPIRED,
    _VOID,
)

#: Every check of a connection by id, in the order in which findings are listed.
CATALOGUE: Final[Mapping[str, Check]] = MappingProxyType({check.id: check for check in _ALL})

#: Every check of a strategy by id: the rules of policy.
STRATEGY_CHECKS: Final[Mapping[str, strategy.StrategyCheck]] = MappingProxyType(
    {check.id: check for check in strategy.CHECKS}
)

#: Every check of what a strategy states against what its runtime takes, by id.
TAKING_CHECKS: Final[Mapping[str, Entry]] = MappingProxyType({taking.TAKEN.id: taking.TAKEN})

#: Every check of the bot behind a strategy, by id.
BOT_CHECKS: Final[Mapping[str, bot.BotCheck]] = MappingProxyType({check.id: check for check in bot.CHECKS})

#: Every check of what a strategy finds on its connection, by id.
MARKET_CHECKS: Final[Mapping[str, market.MarketCheck]] = MappingProxyType(
    {check.id: check for check in market.CHECKS}
)

#: What is told of each runtime, by id.
RUNTIME_CHECKS: Final[Mapping[str, Entry]] = MappingProxyType({runtime.TEST.id: runtime.TEST})

#: What guards tell of a run as a whole, by id.
GUARD_CHECKS: Final[Mapping[str, guards.GuardCheck]] = MappingProxyType(
    {check.id: check for check in guards.CHECKS}
)

#: All that :func:`explain` knows of checks.
ENTRIES: Final[Mapping[str, Entry]] = MappingProxyType(
    {
        **CATALOGUE,
        **STRATEGY_CHECKS,
        **TAKING_CHECKS,
        **MARKET_CHECKS,
        **BOT_CHECKS,
        **RUNTIME_CHECKS,
        **GUARD_CHECKS,
    }
)


def severity_words(check: Entry) -> str:
    """How a check weighs, for people: ``blocking, can never be waived``."""
    weight = check.severity.value
    if check.varies:
        other = Severity.ADVISORY if check.severity is Severity.BLOCKING else Severity.BLOCKING
        weight = f"{weight}, or {other.value} as policy and files say"
    return weight if check.waivable else f"{weight}, can never be waived"


def explain(id_: str) -> str:
    """What a check, a failure kind or a doubt of a review means, as plain text.

    Raises:
        UsageError: nothing is named so; the hint names what is near.
    """
    if id_ in ENTRIES:
        return _explain_check(ENTRIES[id_])
    if id_ in {kind.value for kind in FailureKind}:
        return _explain_kind(FailureKind(id_))
    if id_ in {kind.value for kind in RuntimeFailureKind}:
        return _explain_texts(id_, "failure kind of a runtime", RUNTIME_KINDS[RuntimeFailureKind(id_)])
    if id_ in DOUBTS:
        return _explain_doubt(DOUBTS[id_])
    kinds = (kind.value for kind in (*FailureKind, *RuntimeFailureKind))
    known = [*ENTRIES, *kinds, *DOUBTS]
    near = difflib.get_close_matches(id_, known, n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(near)}?" if near else "`reconcile explain` lists them all"
    raise UsageError(f"there is no check, failure kind or doubt named {id_!r}", hint=hint)


def _explain_check(check: Entry) -> str:
    return "\n".join(
        (
            f"{check.id}: {check.title}",
            severity_words(check),
            "",
            _line("asks", check.asks),
            _line("cause", check.cause),
            _line("fix", check.fix),
            "",
            fill(check.explanation, WIDTH, break_on_hyphens=False),
        )
    )


def _explain_kind(kind: FailureKind) -> str:
    retry = "a retry may help" if kind in RETRYABLE else "a retry does not help"
    return _explain_texts(kind.value, f"failure kind, {retry}", KINDS[kind])


def _explain_texts(name: str, what: str, texts: KindText) -> str:
    return "\n".join(
        (
            f"{name}: {texts.title}",
            what,
            "",
            _line("cause", texts.cause),
            _line("fix", texts.fix),
        )
    )


def _explain_doubt(doubt: Doubt) -> str:
    weight = "which fails with exit code 4" if doubt.weight is Weight.FAILS else "advice"
    weight += f"; {doubt.otherwise}" if doubt.otherwise else ""
    return "\n".join(
        (
            f"{doubt.code}: {doubt.title}",
            f"of a review by `reconcile diff`, {weight}",
            "",
            _line("cause", doubt.cause),
            _line("fix", doubt.fix),
        )
    )


def _line(word: str, text: str) -> str:
    return fill(f"{word + ':':<7}{text}", WIDTH, subsequent_indent=" " * 7, break_on_hyphens=False)
