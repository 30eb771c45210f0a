"""Items, for people: which of them move, one of them in full, and how one is forgotten."""
