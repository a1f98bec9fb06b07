"""The files of deploy/, checked with what is installed of the programs that read them."""
