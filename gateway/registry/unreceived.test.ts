import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { StoreService } from "../../gen/annex/store/v1/store_pb.js";
import { createStoreConnection } from "./transport.ts";
import { isLost, isUnreceived, NotSent } from "./unreceived.ts";

async function failureOf(address: string): Promise<unknown> {
  const connection = createStoreConnection({ address, protocol: "grpc", tls: undefined });
  try {
    await createClient(StoreService, connection.transport).get({});
    return undefined;
  } catch (error) {
    return error;
  } finally {
    connection.close();
  }
}

test("isUnreceived() knows a connection that never came about", async () => {
  for (const address of ["127.0.0.1:1", "localhost:1", "unix:/nowhere.sock", "name.invalid:1"])
    assert.ok(isUnreceived(await failureOf(address)), address);
  assert.ok(isUnreceived(new NotSent("refused")));
});

test("isUnreceived() says no of a connection that broke under the call: isLost() says yes", async (t) => {
  const server = createServer((socket) => socket.once("data", () => socket.destroy()));
  t.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const error = await failureOf(`127.0.0.1:${(server.address() as { port: number }).port}`);
  assert.ok(error instanceof ConnectError && !isUnreceived(error) && isLost(error), String(error));
  assert.ok(!isLost(new ConnectError("no", Code.NotFound)));
});
