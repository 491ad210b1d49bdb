"""IPython: calls that show themselves beneath their cell, and tables that follow them."""
