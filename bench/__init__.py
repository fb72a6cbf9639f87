"""The bench: how fast, how small, how soon, in one run on this machine, against goals and against nginx."""
