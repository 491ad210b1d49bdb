"""Real weights; a test that needs them is skipped where they aren't installed."""

from real_desk import joe, models

__all__ = ["joe", "models"]
