"""Labels of users, by rules over their scores and features."""
