"""Reading keys live: ccxt without its weight, a read-only transport, shared budgets."""
