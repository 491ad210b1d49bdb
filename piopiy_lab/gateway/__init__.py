"""The protocol of Piopiy's gateway: what a worker and the platform say to each other over gRPC.

Known to the agent's side (``telephony``) and to the platform's (``loopback``). No I/O here.
"""
