"""Words that say too little about a text to be searched for.

Every place that ignores common words takes its list from here.
"""

from __future__ import annotations

STOP_WORDS = frozenset(
    "a an the this that these those"
    " he him his she her it its they them their our"
    " and or but as than then also"
    " at by for from in into of on onto to with"
    " is are was were be been being do does did done has have had"
    " can could will would shall should may might must"
    " who whom whose which what when where why how there"
    " any each every only some".split()
)
"""English function words, in lower case, which nearly every text contains."""

# Questions about prose may turn on these ("the most", "over 80", the song "All Over Me"): ignoring
# them there keeps more passages, or drops the right one. In a table they are only noise.
_TITLE_WORDS = frozenset(
    "about all here just me more most not other over such under you your".split()
)

# They ask for rows without saying which. In prose the same words may well be the subject.
_REQUEST_WORDS = frozenset(
    "give find show list get tell please record row item entry value field".split()
)

ROW_STOP_WORDS = STOP_WORDS | _TITLE_WORDS | _REQUEST_WORDS
"""Stop words of requests for rows of data."""
