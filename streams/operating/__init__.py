"""The operations on a running system: feed, drain, erase, redrive, republish, follow scores, count segments."""
