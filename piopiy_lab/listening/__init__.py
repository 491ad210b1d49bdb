"""When the caller speaks and when a turn ends: the detector, the strategies, their settings."""
