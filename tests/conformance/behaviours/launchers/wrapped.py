"""WrappedLauncher puts its text before the command."""

from parsl.launchers import SimpleLauncher, WrappedLauncher

print(SimpleLauncher(debug=False)("run me", 1, 1).strip())
print(WrappedLauncher("docker run it", debug=False)("run me", 1, 1).strip())

# prints:
# run me
# docker run it run me
