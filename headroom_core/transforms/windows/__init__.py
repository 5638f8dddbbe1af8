"""Context windows: drop messages of a conversation that exceeds its token limit.

`rolling` and `intelligent` are the two windows. Both give a `policy` to the `cutter`: the order in
which messages are dropped, which `rolling` takes from their age, and `ranking` from their
`importance`. The cutter decides when to drop, the `planner` how many, and `gap` puts a marker in
their place.
"""
