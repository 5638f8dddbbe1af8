"""Compressing the messages of a conversation before they are sent to a model."""
