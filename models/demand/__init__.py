"""Forecasts of demand: daily units of items in, sums over the coming days out."""
