"""The backtest's flow part: orders become events, events become feature rows by the code that serves them."""
