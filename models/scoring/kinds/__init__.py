"""The models that can stand behind a score: each predicts, explains itself, and is written without pickle."""
