"""One module per exchange: how to read its key and how to read its errors. No ccxt, no I/O."""
