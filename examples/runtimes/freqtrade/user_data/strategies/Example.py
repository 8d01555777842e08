"""A strategy to try out a set-up with: it buys whatever it may, and sells at one percent of profit."""

from freqtrade.strategy import IStrategy
from pandas import DataFrame


class Example(IStrategy):
    """Nothing to earn money with."""

    INTERFACE_VERSION = 3
    timeframe = "5m"
    startup_candle_count = 5
    minimal_roi = {"0": 0.01}
    stoploss = -0.10

    def populate_indicators(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        """No indicators."""
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        """Always in."""
        dataframe["enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict) -> DataFrame:
        """Out by ``minimal_roi`` and ``stoploss`` alone."""
        return dataframe
