"""What can be wrong with a value or with its schema; each message becomes the detail of a dead letter.

They quote nothing that a user wrote: names of schemas and types are the shop's own.
"""


class UnreadableValueError(ValueError):
    """A value that is not what its schema says, or that cannot become a JSON object."""


class UnreadableSchemaError(ValueError):
    """A schema that no value can be read with: unknown, damaged, or one that is refused."""
