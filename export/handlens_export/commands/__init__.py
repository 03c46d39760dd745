"""The commands of the export package; each imports what it needs when it is called."""
