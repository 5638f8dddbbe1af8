"""`python -m benchmarks.long_documents`: what is saved, and which facts are kept, inside long documents.

The retrieved passages of a case, ten at a time, are one document: under their titles as headings, or plain paragraphs.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from benchmarks.corpus import add_files, assess, load_scoring_module, misses, report
from headroom_core.config import HeadroomConfig

SETS = "rag_nq", "rag_hotpot", "rag_squad"
SIZE = 10
"""How many passages a document has."""


def joined(case: dict[str, Any], headed: bool) -> dict[str, Any]:
    """Return a case with long documents.

    Example:
        >>> documents = [{"text": "It is long.", "metadata": {"title": "Elbe"}}] * 11
        >>> case = joined({"set": "rag_nq", "documents": documents}, headed=True)
        >>> len(case["documents"]), case["documents"][1]["text"]
        (2, '## Elbe\\n\\nIt is long.')
    """
    came = case["documents"]
    texts = [
        f"## {one['metadata']['title']}\n\n{one['text']}" if headed else one["text"] for one in came
    ]
    documents = [
        {"text": "\n\n".join(texts[at : at + SIZE]), "metadata": {}}
        for at in range(0, len(texts), SIZE)
    ]
    form = "headings" if headed else "plain"
    return {**case, "set": f"{case['set'].removeprefix('rag_')} {form}", "documents": documents}


def main(arguments: Sequence[str] | None = None) -> None:
    """Score the cases in both forms, and print a table."""
    parser = argparse.ArgumentParser("python -m benchmarks.long_documents", description=__doc__)
    add_files(parser)
    asked = parser.parse_args(arguments)
    score = load_scoring_module(asked.corpus)
    cases = [case for _, case in score.load(SETS, ("dev",), str(asked.corpus))]
    scores = [
        assess(joined(case, headed), HeadroomConfig(), score)
        for headed in (True, False)
        for case in cases
    ]
    print(report(scores), flush=True)
    if asked.misses:
        asked.misses.write_text(
            "".join(f"{line}\n" for line in misses("selecting", scores)), encoding="utf-8"
        )


if __name__ == "__main__":
    main()
