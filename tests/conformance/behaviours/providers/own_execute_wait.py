"""A provider's own execute_wait runs the scheduler's commands; resources show the files of a job."""

import tempfile

from parsl.providers import SlurmProvider

commands = []


class OverSsh(SlurmProvider):
    def execute_wait(self, cmd, timeout=None):
        commands.append(cmd.split()[0])
        return 0, "Submitted batch job 12\n" if "sbatch" in cmd else "", ""


provider = OverSsh()
provider.script_dir = tempfile.mkdtemp()
job = provider.submit("true", 1)
print(job, commands[-1])
print(provider.cancel([job]), commands[-1])
entry = provider.resources[job]
print(entry["job_id"], entry["job_stdout_path"][-7:], entry["job_stderr_path"][-7:])

# prints:
# 12 sbatch
# [True] scancel
# 12 .stdout .stderr
