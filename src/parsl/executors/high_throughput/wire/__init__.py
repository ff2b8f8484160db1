"""What crosses process boundaries: records, streams, settings, payloads in shared memory."""
