"""Which layers int8 harms, and by how much: ranked by output error, then by the task's metric, and given back float."""
