"""The apps of the library."""

from parsl import bash_app, join_app, python_app

from toolbox.text import tally


@bash_app
def make_text(words, outputs=()):
    return f"echo {' '.join(words)} > {outputs[0].filepath}"


@python_app
def count_words(inputs=()):
    with open(inputs[0].filepath) as f:
        return tally(f.read())


@python_app
def most_common(counts):
    return counts.most_common(1)[0]


@join_app
def analyse(inputs=()):
    return [most_common(count_words(inputs=[each])) for each in inputs]
