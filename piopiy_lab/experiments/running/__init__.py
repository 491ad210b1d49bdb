"""Where many calls run: here, in processes, or on somebody's executor.

``work`` is what is to be done, ``one_call`` does one of it, ``executing`` sends all of it out;
``worker`` is what runs at the other end, ``watchdog`` looks whether a call hangs.
"""
