"""The demo's input, and that of the shipped scorer: real baskets with simulated searches and reviews around them."""
