"""Pure rules over (desired, live) and the catalogue that gives each its id, severity, cause and fix."""

from reconciler.checks.bot import BotCase
from reconciler.checks.catalogue import (
    BOT_CHECKS,
    CATALOGUE,
    ENTRIES,
    GUARD_CHECKS,
    MARKET_CHECKS,
    RUNTIME_CHECKS,
    STRATEGY_CHECKS,
    TAKING_CHECKS,
    explain,
)
from reconciler.checks.check import Case, Check
from reconciler.checks.market import MarketCase
from reconciler.checks.taking import TakingCase
from reconciler.checks.verdict import (
    evaluate,
    evaluate_bot,
    evaluate_market,
    evaluate_strategy,
    evaluate_taking,
    judge_runtime,
    permits,
    status,
)

__all__ = [
    "BOT_CHECKS",
    "CATALOGUE",
    "ENTRIES",
    "GUARD_CHECKS",
    "MARKET_CHECKS",
    "RUNTIME_CHECKS",
    "STRATEGY_CHECKS",
    "TAKING_CHECKS",
    "BotCase",
    "Case",
    "Check",
    "MarketCase",
    "TakingCase",
    "evaluate",
    "evaluate_bot",
    "evaluate_market",
    "evaluate_strategy",
    "evaluate_taking",
    "explain",
    "judge_runtime",
    "permits",
    "status",
]
