"""The code of the worker over files: history, training, evaluation, backtest, sample."""
