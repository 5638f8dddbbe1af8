"""Context windows: drop messages of a conversation that exceeds its token limit."""
