"""The samples of a Prometheus: how they are chosen, estimated, taken gently, checked and counted."""
