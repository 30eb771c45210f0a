"""What a worker tells of itself: metrics, health, and what it served."""
