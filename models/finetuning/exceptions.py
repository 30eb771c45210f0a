"""The errors of adapting an encoder."""

from models.exceptions import ModelsError


class FinetuningError(ModelsError, ValueError):
    """Data, settings or a checkpoint that cannot be used; the message quotes no text."""
