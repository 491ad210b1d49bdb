"""Piopiy's import path for pipeline parts."""
