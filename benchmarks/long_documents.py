"""`python -m benchmarks.long_documents`: savings and kept facts inside long documents.

Each document consists of ten retrieved passages of a case: either with their titles as headings,
or as plain paragraphs.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from benchmarks.corpus import (
    Case,
    add_file_arguments,
    format_report,
    list_misses,
    load_cases,
    load_scoring_module,
    score_case,
    write_misses,
)
from headroom_core.config import HeadroomConfig

SETS = "rag_nq", "rag_hotpot", "rag_squad"
PASSAGES_PER_DOCUMENT = 10


def join_passages(case: Case, *, with_headings: bool) -> Case:
    """Return a case whose passages are joined to long documents.

    Example:
        >>> documents = [{"text": "It is long.", "metadata": {"title": "Elbe"}}] * 11
        >>> case = join_passages({"set": "rag_nq", "documents": documents}, with_headings=True)
        >>> len(case["documents"]), case["documents"][1]["text"]
        (2, '## Elbe\\n\\nIt is long.')
    """
    texts = []
    for document in case["documents"]:
        heading = f"## {document['metadata']['title']}\n\n" if with_headings else ""
        texts.append(heading + document["text"])
    documents = [
        {"text": "\n\n".join(texts[start : start + PASSAGES_PER_DOCUMENT]), "metadata": {}}
        for start in range(0, len(texts), PASSAGES_PER_DOCUMENT)
    ]
    form = "headings" if with_headings else "plain"
    return {**case, "set": f"{case['set'].removeprefix('rag_')} {form}", "documents": documents}


def main(arguments: Sequence[str] | None = None) -> None:
    """Score the cases in both forms, and print a table."""
    parser = argparse.ArgumentParser("python -m benchmarks.long_documents", description=__doc__)
    add_file_arguments(parser)
    options = parser.parse_args(arguments)
    scoring = load_scoring_module(options.corpus)
    cases = load_cases(scoring, SETS, options.corpus)
    scores = []
    for with_headings in (True, False):
        for case in cases:
            joined = join_passages(case, with_headings=with_headings)
            scores.append(score_case(joined, HeadroomConfig(), scoring))
    print(format_report(scores), flush=True)
    if options.misses:
        write_misses(options.misses, list_misses("selecting", scores))


if __name__ == "__main__":
    main()
