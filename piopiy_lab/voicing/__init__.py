"""A scripted caller's voices: services, folders of clips, and what they said, kept on disk.

``prepared(caller)`` has every text of a screenplay spoken before its call begins, so that within
the call nothing is synthesised: it is as fast and as exact as with the package's own voice.
``voices()`` shows what is usable here. The call itself knows only ``Caller.spoken``.
"""
