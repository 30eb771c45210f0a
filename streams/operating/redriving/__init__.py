"""Dead letters go back: to their topics as they came, or as the events that their records have become."""
