"""What `compress()` costs and saves, measured against encoding the same input once with tiktoken.

`python -m benchmarks` times it on generated inputs, `python -m benchmarks.corpus` scores it on real ones.
"""
