"""Reading text: what kind it is, and the sentences, lines, code and JSON in it."""
