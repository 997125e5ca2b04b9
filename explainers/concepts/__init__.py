"""Explanations of decisions by concepts, such as "event type: fall from height", and their words."""
