"""Passes that make a Program smaller without changing what it means."""
