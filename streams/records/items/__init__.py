"""What is told of items: the messages of the facts topic, and the record of an item with its blocks."""
