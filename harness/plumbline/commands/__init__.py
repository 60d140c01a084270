# SPDX-License-Identifier: MIT
"""One module per command of the command line, each with `command`."""
