"""Many calls: on any executor, with how sure a pass is, and two agents on the same sound.

``simulating`` has ``simulate_many``, ``calls`` what it gives, ``comparing`` ``compare_agents``,
``sweeping`` ``sweep_agents``, ``baseline`` what earlier calls were like; ``pytest_repeats`` is the
mark for tests. Below them are three rooms: ``figures`` (a call's row, and statistics), ``running``
(executors and workers) and ``showing`` (tables, reports, pictures).
"""
