"""Turn-taking, measured: things people say, what an agent makes of them, and public definitions.

``run_bench`` (``piopiy_lab.bench.running``) lets every stimulus of a list call an agent in virtual
time; ``tau_voice``, ``reactions`` and ``end_of_turn`` are the definitions, pure; ``broken`` has
agents with planted faults, to test the tests.
"""
