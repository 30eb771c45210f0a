"""The artefact: scorer, projection and reference in one folder."""
