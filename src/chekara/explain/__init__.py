"""Exact contributions, the evidence behind them, and the sentences that tell it."""
