"""The backtest's pure part: the models fitted to past orders, their measures, and the two protocols."""
