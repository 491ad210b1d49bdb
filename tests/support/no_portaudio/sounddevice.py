"""Stands before the real one in ``sys.path``: what it does on Linux where PortAudio is missing."""

raise OSError("PortAudio library not found")
