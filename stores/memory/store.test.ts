import { contractResources, testContract } from "../../test/contract/contract.testing.ts";
import { createMemoryStore, memoryCapabilities } from "./store.ts";

testContract("memory", async () => createMemoryStore(contractResources(memoryCapabilities)));
