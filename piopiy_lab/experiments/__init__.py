"""Many calls: on any executor, with how sure a pass is, and two agents on the same sound.

``simulating`` has ``simulate_many``; ``work`` is what is to be done, ``one_call`` does one of it,
``calls`` are the results.
"""
