"""Benchmarks: the cost and the savings of `compress()`.

`python -m benchmarks` measures times on generated inputs, relative to encoding the same input once
with tiktoken; `python -m benchmarks.corpus` scores savings and kept facts on real tool outputs.
"""
