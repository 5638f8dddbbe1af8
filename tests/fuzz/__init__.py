"""Long random tests of the promises: `make fuzz MINUTES=5`."""
