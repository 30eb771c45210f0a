"""The input of the backtest: orders become events, and the serving code turns events into feature rows."""
