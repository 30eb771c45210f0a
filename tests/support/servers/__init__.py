"""Servers that tests start: brokers, stores and what stands between."""
