"""What providers share that rent machines of a cloud."""
