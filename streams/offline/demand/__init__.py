"""Demand over files: daily series of items and categories, their forecasts, and the backtest on real sales."""
