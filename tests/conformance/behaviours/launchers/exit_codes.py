"""A launcher's script ends with the exit code of what it has launched."""

import subprocess

from parsl.launchers import SimpleLauncher, SingleNodeLauncher

for launcher in (SimpleLauncher(), SingleNodeLauncher(), SingleNodeLauncher(fail_on_any=True)):
    for tasks in (1, 2):
        script = launcher("exit 5", tasks, 1)
        done = subprocess.run(["bash", "-c", script], capture_output=True)
        print(type(launcher).__name__, tasks, done.returncode)

# prints:
# SimpleLauncher 1 5
# SimpleLauncher 2 5
# SingleNodeLauncher 1 5
# SingleNodeLauncher 2 5
# SingleNodeLauncher 1 5
# SingleNodeLauncher 2 5
