"""What a retry_handler raises is the exception of the task, with the task's own as its context."""

from observe import name_of, threads

from parsl import python_app


class GivesUp(Exception):
    pass


def handler(error, record):
    print("handled", name_of(error), record["args"])
    raise GivesUp


@python_app
def fail(number):
    raise ValueError(number)


if __name__ == "__main__":
    with threads(retries=3, retry_handler=handler):
        error = fail(1).exception()
    print(name_of(error), name_of(error.__context__))

# prints:
# handled ValueError [1]
# GivesUp ValueError
