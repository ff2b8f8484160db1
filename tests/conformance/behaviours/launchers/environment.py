"""What SingleNodeLauncher puts in the environment of what it launches."""

import subprocess

from parsl.launchers import SingleNodeLauncher

script = SingleNodeLauncher(debug=False)("echo $CORES", 1, 1)
lines = subprocess.run(["bash", "-c", script], capture_output=True, text=True).stdout.split()
print(len(lines), lines[-1].isdigit())

# prints:
# 1 True
