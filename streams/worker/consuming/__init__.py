"""The consumer by the batch, under Faust."""
