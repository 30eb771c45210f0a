"""The demo's input: real orders of an online record shop and simulated behaviour around them."""
