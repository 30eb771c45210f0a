"""The head of polarity over files: texts with a known polarity in, an artefact or a judgement out."""
