"""Declarative, checked exchange connections for trading bots."""

__version__ = "0.1.0"
