"""Helpers of this package alone. Nothing here is public, and any of it may change."""
