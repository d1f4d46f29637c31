"""One module per command, named by the word that is typed; each has a click command `command`."""
