"""What a running loop answers over HTTP: health and readiness. It reads, and changes nothing."""
