"""What is inferred: text cleaning, BERT embeddings, the profile vector and the scorer."""
