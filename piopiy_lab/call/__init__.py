"""What a call was: transcript, turns, latency, tools, and the folder it is saved in."""
