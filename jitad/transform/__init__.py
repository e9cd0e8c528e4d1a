"""Passes that turn a Program into the Program of a derivative, or of a batch."""
