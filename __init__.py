"""Assay tells which explainer to trust for a text classifier, how far, and at what price."""
