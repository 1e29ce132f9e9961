#!/bin/sh
# Writes gen/, the contract in Python. PROTO: the folder that holds annex/store/v1 (default: this repository's).
set -eu
cd "$(dirname "$0")"
proto=${PROTO:-../../../proto}
rm -rf gen && mkdir gen
"${PYTHON:-python}" -m grpc_tools.protoc -I "$proto" --python_out=gen --pyi_out=gen --grpc_python_out=gen \
  annex/store/v1/error.proto annex/store/v1/object.proto annex/store/v1/catalog.proto annex/store/v1/store.proto
