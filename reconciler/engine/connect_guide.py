"""What a person has to do at the exchange: its own steps, and what holds at every exchange."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from reconciler.engine.connect import Answers
from reconciler.exchanges import registry
from reconciler.model.desired import Market
from reconciler.output.guide import paragraphs, renumbered, wrapped
from reconciler.resources import folder

SECTION: Final = "Creating the key"

#: Steps that ``connect`` itself is about to do for the reader.
_OURS: Final = ("`reconcile check", "secret file with `sops`")

_TRADING: Final = {
    Market.SPOT: "reading and spot trading; no margin, no futures",
    Market.MARGIN: "reading, spot and margin trading; no futures",
    Market.FUTURES: "reading and futures trading",
}


def guide(answers: Answers, addresses: Sequence[str], *, width: int) -> str:
    """The steps for this connection as plain text: the exchange's own where it has a page, and the rules.

    ``addresses`` are those that the bot's calls leave from.
    """
    exchange = registry.get(answers.exchange)
    where = f" ({exchange.key_page})" if exchange.key_page else ""
    steps = _steps(answers.exchange) or _generic(answers)
    head = f"Create the key on {exchange.name}{where}:"
    rules = ("Whatever its pages offer:", *_rules(answers, addresses))
    return wrapped((head, *steps), width=width) + "\n" + wrapped(rules, width=width)


def _steps(exchange: str) -> tuple[str, ...]:
    """The steps of the exchange's page, empty where it has none."""
    page = folder("docs") / "exchanges" / f"{exchange}.md"
    if not page.is_file():
        return ()
    text = page.read_text(encoding="utf-8")
    steps = (step for step in paragraphs(text, SECTION) if not any(ours in step for ours in _OURS))
    return tuple(renumbered(steps))


def _generic(answers: Answers) -> Iterator[str]:
    yield "1. Log in, open the page for API keys and create a key, if asked one of the type HMAC."
    yield f"2. Name it after the connection: `{answers.id}`."
    yield "3. Grant reading and trading only, as below, and enter the addresses below."
    if "passphrase" in registry.get(answers.exchange).credentials:
        yield "4. Choose a passphrase of its own for the key: it can rarely be looked up later."


def _rules(answers: Answers, addresses: Sequence[str]) -> Iterator[str]:
    yield f"- Rights: {_TRADING[answers.market]}. Withdrawals never: no strategy runs on such a key."
    if addresses:
        yield f"- IP whitelist: exactly {', '.join(addresses)}, where the bot's calls leave from."
    else:
        yield "- IP whitelist: the addresses that the bot's calls leave from, and no others."
    yield "- Two-factor login must be on for the account."
    yield f"- One key for one purpose: nothing but {answers.id} uses it."
    yield "- Keep the page open: the secret is shown once, and is asked for next."
