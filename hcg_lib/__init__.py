"""The library behind the HCG book: hierarchical compositional generalization, grammar to measurement."""

__version__ = "0.1.0"
