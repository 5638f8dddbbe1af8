"""A chat model that wraps another one and compresses its requests."""
