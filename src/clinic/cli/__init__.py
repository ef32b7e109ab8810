"""The command line: one file per command. The only code that knows click and tqdm, prints, or exits."""
