import assert from "node:assert/strict";
import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { createClient } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { StoreService } from "../../gen/annex/store/v1/store_pb.js";
import { createStoreConnection } from "./transport.ts";

test("createStoreConnection() dials the IP address that it is given, and asks for the name", async (t) => {
  const authorities: string[] = [];
  const handler = connectNodeAdapter({
    routes: ({ rpc }) => rpc(StoreService.method.get, () => ({ mark: { epoch: "e" } })),
  });
  const server = createServer((request, response) => {
    authorities.push(request.authority);
    handler(request, response);
  });
  t.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = `store.invalid:${(server.address() as AddressInfo).port}`;
  const connection = createStoreConnection({ address, ip: "127.0.0.1", protocol: "grpc", tls: undefined });
  t.after(() => connection.close());
  const { mark } = await createClient(StoreService, connection.transport).get({});
  assert.equal(mark?.epoch, "e");
  assert.deepEqual([...new Set(authorities)], [address]);
});
