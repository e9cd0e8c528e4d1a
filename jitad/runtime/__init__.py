"""What is there while programs run: settings, kernels in memory, workspaces."""
