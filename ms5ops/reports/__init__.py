"""Reports to share: files that open without the console and without a network."""
