"""What every layer uses: processes, commands, validation helpers. Standard library only."""
