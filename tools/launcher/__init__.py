"""The launcher behind ./evnet: Python's standard library only, so that it runs before anything is installed."""
