"""A library of apps, as several workflows may share it: nothing is loaded when it is imported."""

from toolbox.apps import analyse, count_words, make_text

__all__ = ["analyse", "count_words", "make_text"]
