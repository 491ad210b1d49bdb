"""What carries a call's audio: the only part that differs between a microphone and a phone."""
