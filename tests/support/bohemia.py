"""Retrieved documents for a question: short texts, a long page with headings, and rows."""

from __future__ import annotations

QUESTION = "How long is the Elbe?"
TEXTS = [
    "The Oder is 840 km long.",
    "It rained all day.",
    "The Elbe is 1,094 km long.",
    "Jan Hus was a priest.",
    "Beer is brewed in Plzeň.",
    "The river Elbe is blue.",
]
PAGE = "\n\n".join(
    [
        "# Bohemia",
        "A country in Europe, about which much can be told. " * 9,
        "## Rivers\n\nThe Elbe is 1,094 km long. " + "It is a river. " * 20,
        *(f"## Town {n}\n\n" + f"Town {n} has a market and a church. " * 12 for n in range(12)),
    ]
)
ROWS = [{"gauge": n, "state": "ok", "river": "Elbe"} for n in range(60)]
