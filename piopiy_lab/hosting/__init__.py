"""Who runs a session: the host of a call, its commands, the loop's thread, start_call."""
