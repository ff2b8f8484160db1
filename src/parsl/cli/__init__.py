"""The command ``parsl``: one module for each subcommand."""
