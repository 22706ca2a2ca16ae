"""The HTTP API of the contract."""
