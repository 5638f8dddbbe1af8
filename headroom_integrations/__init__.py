"""Integrations of `headroom_core` with LLM frameworks, one package per framework."""
