import { Capability, Scope } from "../../gen/annex/store/v1/catalog_pb.js";
import { checkContract, contractResources } from "../contract.testing.ts";
import { createMemoryStore } from "./store.ts";

const base = {
  scope: Scope.NAMESPACED,
  capabilities: [Capability.RESUME, Capability.PROGRESS, Capability.PREVIOUS_OBJECT],
};

checkContract("memory", async () => createMemoryStore(contractResources(base)));
