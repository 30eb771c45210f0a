"""The pretrained encoder."""
