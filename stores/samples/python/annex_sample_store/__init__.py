"""A store for Annex in Python: objects in memory behind a small log, served over gRPC.

store.py keeps objects and their order, service.py speaks the contract's verbs, catalog.py says what is
served, __main__.py is the process. To keep objects somewhere else, change store.py.
"""

import os
import sys
from pathlib import Path

# gRPC's own log is for its makers: a line for each connection that a client closes. Set before it is imported.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")

# The contract in Python, which grpc_tools.protoc writes beside this package: its modules import each
# other as annex.store.v1.
sys.path.append(str(Path(__file__).resolve().parent.parent / "gen"))
