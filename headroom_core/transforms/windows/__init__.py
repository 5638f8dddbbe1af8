"""Windows: leaving out messages of a conversation that is larger than its limit."""
