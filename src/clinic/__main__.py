"""`python -m clinic`."""

from clinic.cli.main import main

main()
