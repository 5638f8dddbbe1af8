"""Tools for reading text: detect its kind, split it, and find the code and JSON inside it."""
