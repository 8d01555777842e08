"""Local servers that speak the exchanges' wire protocols, for the demo and the tests."""
