"""A staging plug-in may stage a file in by an app on the internal executor; a failure is tried again."""

import os

from observe import threads

import parsl
from parsl import File
from parsl.data_provider.data_manager import default_staging
from parsl.data_provider.staging import Staging

attempts = []


def fetch(parent_fut=None, outputs=(), _parsl_staging_inhibit=True):
    attempts.append(1)
    if len(attempts) == 1:
        raise OSError("the first attempt fails")
    with open(outputs[0], "w") as copy:
        copy.write("content")


class Demo(Staging):
    def can_stage_in(self, file):
        return file.scheme == "demo"

    def stage_in(self, dm, executor, file, parent_fut):
        file.local_path = os.path.join(dm.dfk.executors[executor].working_dir or "", file.filename)
        app = parsl.python_app(executors=["_parsl_internal"], data_flow_kernel=dm.dfk)(fetch)
        return app(parent_fut, outputs=[file], _parsl_staging_inhibit=True)._outputs[0]


@parsl.python_app
def read(file):
    with open(file) as stream:
        return stream.read()


with threads(retries=1) as kernel:
    kernel.executors["threads"].storage_access = default_staging + [Demo()]  # noqa: RUF005 - as documented
    print(read(File("demo://host/x.txt")).result(), len(attempts))
    print("_parsl_internal" in kernel.executors, type(kernel.executors["_parsl_internal"]).__name__)

# prints:
# content 2
# True ThreadPoolExecutor
