"""The commands that make, adapt and judge models."""
