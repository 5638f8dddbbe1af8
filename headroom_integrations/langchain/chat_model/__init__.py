"""A chat model around another one, which compresses the messages that it is sent."""
