"""Separated values: telling them from other regular lines, and parsing them into frames."""
