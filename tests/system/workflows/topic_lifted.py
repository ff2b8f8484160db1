"""Operators on futures: items and attributes of future results."""

from collections import namedtuple
from dataclasses import dataclass

from parsl import python_app

Size = namedtuple("Size", ["width", "height"])


@dataclass
class Picture:
    name: str
    size: Size


@python_app
def summarize(values):
    return {"low": min(values), "high": max(values), "all": values}


@python_app
def load(name):
    return Picture(name, Size(4, 3))


@python_app
def subtract(a, b):
    return a - b


if __name__ == "__main__":
    summary = summarize([3, 1, 2])
    assert subtract(summary["high"], summary["low"]).result() == 2
    assert summary["all"][1].result() == 1
    picture = load("star")
    assert picture.name.result() == "star"
    assert subtract(picture.size.width, b=picture.size.height).result() == 1
    assert picture.size[0].result() == 4
    assert isinstance(summary["middle"].exception(), Exception)
    assert isinstance(picture.colour.exception(), Exception)
    assert summary.done() and picture.result() == Picture("star", Size(4, 3))
