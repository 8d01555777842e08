"""What an id is called for people."""

from __future__ import annotations

from reconciler.exchanges import registry


def in_words(name: str, exchange: str) -> str:
    """The id ``name`` in words, the exchange as it spells itself: ``MEXC Spot Main``."""
    spelt = registry.get(exchange).name
    return " ".join(spelt if word == exchange else word.capitalize() for word in name.split("-") if word)
