import { Scope } from "../../gen/annex/store/v1/catalog_pb.js";
import { checkContract, contractResources } from "../contract.testing.ts";
import { createMemoryStore, memoryCapabilities } from "./store.ts";

const base = { scope: Scope.NAMESPACED, capabilities: [...memoryCapabilities] };

checkContract("memory", async () => createMemoryStore(contractResources(base)));
