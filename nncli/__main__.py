"""`python -m nncli`."""

from nncli.cli.app import main

main()
