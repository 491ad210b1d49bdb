"""What many calls come to, in figures: a call's row, intervals, shares, differences. Pure.

``rows`` has a call's row; ``statistics``, ``resampling`` and ``needed`` the formulas; ``how_sure``,
``pause_shares`` and ``differences`` what they say of calls.
"""
