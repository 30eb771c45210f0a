"""The commands that show what is known of users and items, as it is served and published."""
