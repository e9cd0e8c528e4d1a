"""Checks for derivatives: jitad's against numerical ones."""
