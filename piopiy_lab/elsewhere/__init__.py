"""Calls from elsewhere: recordings, and what other frameworks and platforms wrote of a call.

Each reader makes a :class:`~piopiy_lab.elsewhere.draft.Draft` of what its source knows, and
:mod:`~piopiy_lab.elsewhere.building` makes an ordinary ``Call`` of it and of the sound::

    recording ── sounds ── spans (the detector) ──┐
    transcript, spans, report, call JSON ── Draft ┴─ placing ── building ── Call

What is known is taken. What is not is said once, as a ``NoticeGiven``.
"""
