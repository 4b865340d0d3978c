"""The command line: one thin file per command, torch imported only when a command needs it."""

from bertsmith.cli.app import main

__all__ = ["main"]
