"""A library of apps that several workflows may share: importing it loads no run."""

from toolbox.apps import analyse, count_words, make_text

__all__ = ["analyse", "count_words", "make_text"]
