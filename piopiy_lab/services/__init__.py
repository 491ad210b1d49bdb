"""What holds for any pipecat service: kinds, errors, connections, modelled delays."""
