"""Risk on trial: campaigns planted among real purchases and reviews, and how many of them it tells."""
