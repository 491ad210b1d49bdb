"""Agents that were written for pipecat's own runner, or for the vendor's, in a call of ours."""
