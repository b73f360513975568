"""What networks compute: graphs of nodes on tensors, their values, and the layers that they are."""
