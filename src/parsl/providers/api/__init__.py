"""What providers share that talk to the API of a service: retries, rate limits, pages, errors."""
