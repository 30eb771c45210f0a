"""The backtest's pure part: what is fitted to past orders, how it is measured, and the two protocols."""
