"""The screen and the JSON of ``exchanges``: what each exchange tells of a key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from reconciler.exchanges.docs import told
from reconciler.exchanges.interface import Exchange
from reconciler.output.document import BLANK, WIDTH, Line, Role, Span, labelled, plain, text_line
from reconciler.output.json import FORMAT_VERSION, Object, dumps
from reconciler.output.words import counted

_OTHERS = (
    "are read by their ccxt id: a balance and mostly the open orders, nothing of the key. Attest in the "
    "files what the checks need."
)


def render_text(
    exchanges: Iterable[Exchange],
    *,
    others: Iterable[Exchange],
    refused: Mapping[str, str],
    width: int = WIDTH,
) -> str:
    """Every exchange with what it tells, does not, and tells in part; the last line counts them."""
    own, rest = tuple(exchanges), tuple(others)
    lines = [line for exchange in own for line in (*_block(exchange), BLANK)]
    lines += [_title(counted(len(rest), "other"), _OTHERS)]
    lines += [labelled("ids", ", ".join(exchange.id for exchange in rest)), BLANK]
    count = (
        f"{counted(len(own), 'exchange')}, {counted(len(rest), 'other')}, {len(refused)} that cannot be read"
    )
    return plain([*lines, text_line(f"exchanges: {count}")], width)


def render_json(
    exchanges: Iterable[Exchange], *, others: Iterable[Exchange], refused: Mapping[str, str], version: str
) -> str:
    """The same under ``exchanges.schema.json``, with the reason of each that cannot be read."""
    document: Object = {
        "format_version": FORMAT_VERSION,
        "tool": {"name": "reconciler", "version": version},
        "exchanges": [_object(exchange, generic=False) for exchange in exchanges],
        "others": [_object(exchange, generic=True) for exchange in others],
        "refused": [{"id": ccxt_id, "reason": reason} for ccxt_id, reason in refused.items()],
    }
    return dumps(document)


def _title(name: str, rest: str) -> Line:
    return text_line(Span(name, Role.TITLE), f" {rest}")


def _block(exchange: Exchange) -> Iterator[Line]:
    held = ", ".join(exchange.credentials)
    yield _title(exchange.name, f"(exchange: {exchange.id}; secret file: {held})")
    words = told(exchange)
    for label, role, answer in (("tells", Role.GOOD, "yes"), ("tells not", Role.UNKNOWN, "no")):
        topics = [topic for topic, word in words.items() if word == answer]
        if topics:
            yield labelled(label, ", ".join(topics), role=role)
    for topic, word in words.items():
        if word not in {"yes", "no"}:
            yield labelled("partly", f"{topic}: {word}", role=Role.WARN)
    if exchange.key_page:
        yield labelled("keys", Span(exchange.key_page, whole=True))


def _object(exchange: Exchange, *, generic: bool) -> Object:
    return {
        "id": exchange.id,
        "name": exchange.name,
        "generic": generic,
        "credentials": list(exchange.credentials),
        "tells": dict(told(exchange)),
        "key_page": exchange.key_page or None,
    }
