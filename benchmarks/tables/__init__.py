"""The tables of the pages, one group a file."""
