"""What is diagnosed: the model of a cluster, and how it is found."""
