"""A workflow that uses a library's apps."""

import os

from parsl.data_provider.files import File

import toolbox

if __name__ == "__main__":
    texts = [["a", "b", "a"], ["c", "b", "b"]]
    made = [
        toolbox.make_text(words, outputs=[File(os.path.abspath(f"text{number}"))])
        for number, words in enumerate(texts)
    ]
    written = [each.outputs[0] for each in made]
    assert toolbox.count_words(inputs=[written[0]]).result()["a"] == 2
    assert toolbox.analyse(inputs=written).result() == [("a", 2), ("b", 2)]
