"""Adapters that put compression into other libraries' pipelines, one package each."""
