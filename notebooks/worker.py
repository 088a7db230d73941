"""What an engine starts, by python or spark-submit, with the address of its socket."""

import sys

from lakeforge.worker import main

main(sys.argv[1])
