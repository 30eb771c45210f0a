"""The head of capacity over files: labels and rows in, an artefact or a judgement out."""
