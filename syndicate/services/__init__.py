"""One file per thing people do; the only place that opens a write transaction."""
