"""Lines of no known kind."""

from __future__ import annotations

from random import Random

from samples import Sample

_WORDS = "amber birch cedar delta ember fjord grove heron islet jetty knoll ledge".split()


def make(lines: int, seed: int) -> str:
    """Return notes, one of which is about a pelican."""
    random = Random(seed)
    notes = ["~ " + " ".join(random.choices(_WORDS, k=9)) for _ in range(lines)]
    notes[lines // 2] = "~ amber pelican seen at the jetty twice"
    return "\n".join(notes)


SAMPLES = [Sample("notes", "unknown", make, "Where was the pelican?", "pelican seen at the jetty")]
