"""The process: flags, TLS, logs, health, reflection, drain. `python -m annex_sample_store --help`."""

import argparse
import asyncio
import json
import logging
import signal
import sys
import tempfile
import time
from pathlib import Path

import grpc
from annex.store.v1 import catalog_pb2, catalog_pb2_grpc, store_pb2, store_pb2_grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from .catalog import MAX_MESSAGE_BYTES, Catalog
from .service import Service
from .store import Store

# How long (seconds) calls in flight may take once the process is to stop.
DRAIN = 5
OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    # A gateway pings an idle connection every 15 seconds; gRPC's default would cut it off for that.
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # Two processes on one port would each answer half of the calls.
    ("grpc.so_reuseport", 0),
)

log = logging.getLogger(__name__)


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {"time": record.created, "level": record.levelname, "msg": record.getMessage()}
        if record.exc_info:
            line["err"] = self.formatException(record.exc_info)
        return json.dumps(line)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="annex_sample_store")
    parser.add_argument("--listen", help="unix:PATH or HOST:PORT (default: a fresh unix socket)")
    parser.add_argument("--tls-ca", type=Path, help="with --tls-cert and --tls-key: mutual TLS")
    parser.add_argument("--tls-cert", type=Path)
    parser.add_argument("--tls-key", type=Path)
    flags = parser.parse_args()
    if len({flags.tls_ca is None, flags.tls_cert is None, flags.tls_key is None}) > 1:
        parser.error("--tls-ca, --tls-cert and --tls-key go together")
    return flags


def listen(server: grpc.aio.Server, address: str, flags: argparse.Namespace) -> str:
    """Opens the address and gives it as it can be dialled."""
    if flags.tls_ca is None:
        port = server.add_insecure_port(address)
    else:
        pair = (flags.tls_key.read_bytes(), flags.tls_cert.read_bytes())
        # Whoever shows no certificate of this authority is refused.
        credentials = grpc.ssl_server_credentials([pair], flags.tls_ca.read_bytes(), require_client_auth=True)
        port = server.add_secure_port(address, credentials)
    if address.startswith("unix:"):
        return address
    return f"{address.rpartition(':')[0]}:{port}"


async def serve(flags: argparse.Namespace, folder: str) -> None:
    # Before the address is out: whoever reads it may stop us at once.
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    store = Store(head=time.time_ns() // 1_000)
    service = Service(store)
    checks = health.aio.HealthServicer()
    server = grpc.aio.server(options=OPTIONS)
    catalog_pb2_grpc.add_CatalogServiceServicer_to_server(Catalog(store), server)
    store_pb2_grpc.add_StoreServiceServicer_to_server(service, server)
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    names = [
        catalog_pb2.DESCRIPTOR.services_by_name["CatalogService"].full_name,
        store_pb2.DESCRIPTOR.services_by_name["StoreService"].full_name,
    ]
    for name in ("", *names):
        await checks.set(name, health_pb2.HealthCheckResponse.SERVING)
    reflection.enable_server_reflection((*names, health.SERVICE_NAME, reflection.SERVICE_NAME), server)

    address = listen(server, flags.listen or f"unix:{folder}/store.sock", flags)
    await server.start()
    print(address, flush=True)
    log.info("serving on %s", address)

    await stop.wait()
    log.info("draining")
    await checks.enter_graceful_shutdown()
    service.stop()
    await server.stop(DRAIN)


def main() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    flags = arguments()
    with tempfile.TemporaryDirectory(prefix="annex-store-") as folder:
        try:
            asyncio.run(serve(flags, folder))
        except (RuntimeError, OSError) as error:
            log.error("the store can't go on: %s", error)
            sys.exit(1)


if __name__ == "__main__":
    main()
