"""What of a freqtrade configuration stays behind, and why: every sentence of it in one place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from reconciler.importing.found import Left
from reconciler.importing.node import Node

#: Of ``config_schema.py`` (2024.10 and 2026.9): how the bot trades and works, which nothing of ours says.
_OWN: Final = """
add_config_files amend_last_stake_amount amount_reserve_percent available_capital backtest_breakdown
cancel_open_orders_on_exit coingecko custom_price_max_distance_ratio dataformat_ohlcv dataformat_trades
db_url disable_dataframe_checks disableparamexport discord download_trades dry_run_wallet edge
entry_pricing exit_pricing exit_profit_offset exit_profit_only experimental export
external_message_consumer fee fiat_display_currency force_entry_enable freqai
ignore_buying_expired_candle_after ignore_roi_if_entry_signal internals last_stake_amount_min_ratio
liquidation_buffer log_config max_entry_position_adjustment minimal_roi minimum_trade_amount
new_pairs_days order_time_in_force order_types orderflow process_only_new_candles
recursive_strategy_search reduce_df_footprint startup_candle stoploss strategy_path
targeted_trade_amount telegram timeframe tradable_balance_ratio trailing_only_offset_is_reached
trailing_stop trailing_stop_positive trailing_stop_positive_offset unfilledtimeout use_exit_signal
user_data_dir webhook
"""
_TAKEN: Final = """
$schema api_server bot_name dry_run exchange initial_state margin_mode max_open_trades pairlists
position_adjustment_enable stake_amount stake_currency strategy trading_mode
"""
#: What is taken of `exchange` and `api_server`, or told elsewhere.
_USED: Final = {
    "exchange": """
        name key api_key apiKey secret password uid account_id accountId wallet_address walletAddress
        private_key privateKey pair_whitelist pair_blacklist ccxt_config ccxt_sync_config ccxt_async_config
    """,
    "api_server": "enabled listen_ip_address listen_port username password",
}
#: And what stays of them.
_UNUSED: Final = {
    "exchange": """
        enable_ws log_responses markets_refresh_interval only_from_ccxt outdated_offset
        skip_open_order_update skip_pair_validation unknown_fee_rate
    """,
    "api_server": "CORS_origins enable_openapi jwt_secret_key verbosity ws_token",
}
_STAYS: Final = frozenset(_OWN.split())
_KNOWN: Final = frozenset(_TAKEN.split()) | _STAYS

WHY: Final = {
    "adds": "it adds to its positions, so stake times trades is no limit: write margin_limit and averaging",
    "unlimited": "stake_amount times max_open_trades is no limit where one is unlimited: write margin_limit",
    "amount": "no amount of a currency: write margin_limit yourself",
    "no-class": "no class is named; with `settings: {strategy: …}` a bot with another one is stopped",
    "no-mode": "it is not said; the bot is expected to trade live",
    "no-runtime": "a strategy needs a runtime, and there is none",
    "no-pairs": "a strategy needs pairs, and there are none that can be reviewed",
    "no-login": "without a username and a password nothing can be asked of the bot: give it an API "
    "(docs/runtimes/freqtrade.md), or name a runtime with --runtime",
    "api-off": "the API is off: until it is on nothing can start the bot",
    "not-here": "plain http goes to this machine alone, so the url is 127.0.0.1: open a tunnel there, or "
    "give --url https://…",
    "environment": "a variable of this shell is not the bot's: what it overrides is read from the files",
}
_STAY: Final = "it stays in freqtrade's configuration"
_UNKNOWN: Final = "freqtrade has none such"
_DEMO: Final = "the bot's key is of the exchange's demo or sandbox, and this tool asks the exchange itself"
_OPTIONS: Final = "options of ccxt stay freqtrade's; this tool asks the exchange itself, wherever they lead"


def rest(config: Node) -> Iterator[Left]:
    """Everything at the top that nothing was made of, and ccxt's own options."""
    for name, node in config.value.items():
        if name in _STAYS:
            yield Left(mark=node.mark, what=name, why=_STAY)
        elif name not in _KNOWN:
            # Not named: a key may have been pasted where a name belongs.
            yield Left(mark=node.mark, what="a field that is not known", why=_UNKNOWN)
    for section, used in _USED.items():
        if part := config.get(section):
            yield from _within(section, part, used.split(), _UNUSED[section].split())
    for name in ("ccxt_config", "ccxt_sync_config", "ccxt_async_config"):
        node = config.get("exchange", name) or config
        if node is not config and node.value:
            yield Left(mark=node.mark, what=f"exchange.{name}", why=_OPTIONS)


def _within(section: str, node: Node, taken: Sequence[str], stays: Sequence[str]) -> Iterator[Left]:
    """What was not taken of a section of the configuration."""
    fields = node.value if isinstance(node.value, dict) else {}
    for name, field in fields.items():
        if name in {"demo_trading", "sandbox"}:
            if field.value is not False:
                yield Left(mark=field.mark, what=f"{section}.{name}", why=_DEMO)
        elif name in stays:
            yield Left(mark=field.mark, what=f"{section}.{name}", why=_STAY)
        elif name not in taken:
            yield Left(mark=field.mark, what="a field that is not known", why=_UNKNOWN)
