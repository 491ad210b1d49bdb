"""Samples and files: PCM, WAV, recordings that spill to disk, synthetic speech."""
