/** What a description promises: stable, the same from everywhere, and no lie. */
import { toBinary } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import {
  CatalogService,
  type DescribeResponse,
  DescribeResponseSchema,
  RevisionScope,
  StoreState,
} from "../../../gen/annex/store/v1/catalog_pb.js";
import { hold, promisesOf, same } from "../promise.ts";

const describe = promisesOf("describe");
const gateway = { name: "annex-certify", version: "1", minors: [0], notBelow: 0n };

export const describePromises = [
  describe("describe.digest", "The description has a digest in lower-case hex.", {}, async (kit) => {
    const { digest } = await kit.catalog.describe({ gateway });
    hold(/^[0-9a-f]{8,}$/.test(digest), `the digest is "${digest}"`);
  }),
  describe(
    "describe.stable",
    "Equal digests mean equal descriptions, however often they are asked for and in whatever order their parts lie.",
    {},
    async (kit) => {
      const first = await kit.catalog.describe({ gateway });
      for (let count = 0; count < 30; count++) {
        const next = await kit.catalog.describe({ gateway });
        same(next.digest, first.digest, `the digest of description ${count + 2}`);
        hold(
          Buffer.compare(bytesOf(next), bytesOf(first)) === 0,
          `description ${count + 2} has the digest of the first, and other content`,
        );
      }
    },
  ),
  describe(
    "describe.not-modified",
    "A description that the caller has is left out: nothing but its digest is sent.",
    {},
    async (kit) => {
      const { digest } = await kit.catalog.describe({});
      const again = await kit.catalog.describe({ ifNotDigest: digest });
      same(
        [again.notModified, again.digest, again.resources.length],
        [true, digest, 0],
        "not_modified, digest and resources",
      );
    },
  ),
  describe("describe.modified", "With another digest the caller gets the whole description.", {}, async (kit) => {
    const whole = await kit.catalog.describe({});
    const again = await kit.catalog.describe({ ifNotDigest: "0".repeat(whole.digest.length) });
    same([again.notModified, again.resources.length], [false, whole.resources.length], "not_modified and resources");
  }),
  describe(
    "describe.every-endpoint",
    "Every endpoint gives the same description and epoch.",
    { replicas: true },
    async (kit) => {
      const first = await kit.catalog.describe({});
      for (const { catalog, address } of kit.parts.endpoints) {
        const found = await catalog.describe({});
        same([found.digest, found.epoch], [first.digest, first.epoch], `digest and epoch of ${address}`);
      }
    },
  ),
  describe("describe.every-caller", "The description is the same whoever asks.", {}, async (kit) => {
    const plain = await kit.catalog.describe({});
    const named = await kit.catalog.describe({ gateway: { ...gateway, name: "another", minors: [0, 1, 99] } });
    same(named.digest, plain.digest, "the digest");
  }),
  describe("describe.minors", "The store speaks minor 0 of the contract.", {}, async (kit) => {
    const { minors } = await kit.catalog.describe({});
    hold(minors.length === 0 || minors.includes(0), `it speaks minors ${minors.join(", ")}`);
  }),
  describe(
    "describe.epoch",
    "The data has an epoch, the same each time and with a digest that doesn't cover it.",
    {},
    async (kit) => {
      const one = await kit.catalog.describe({});
      hold(
        one.epoch !== "" || !one.resources.some((resource) => resource.verbs.includes(3)),
        "a store that watches has no epoch",
      );
      for (let count = 0; count < 20; count++) same((await kit.catalog.describe({})).epoch, one.epoch, "the epoch");
    },
  ),
  describe(
    "describe.scope",
    "A store that watches says how far one revision counter reaches.",
    { verbs: "watch" },
    async (kit) => {
      const { revisionScope } = kit.parts.description;
      hold(
        revisionScope === RevisionScope.STORE || revisionScope === RevisionScope.RESOURCE,
        "revision_scope is not set",
      );
    },
  ),
  describe(
    "describe.not-below",
    "A gateway that has shown no revision above the head changes nothing by saying so.",
    { verbs: "create get watch" },
    async (kit) => {
      const made = await kit.make();
      const { epoch } = await kit.catalog.describe({ gateway: { ...gateway, notBelow: made.revision } });
      same((await kit.head()).epoch, epoch, "the epoch after it");
      same((await kit.get(made.key)).object.revision, made.revision, "the object");
    },
  ),
  describe("status.state", "A store that answers says how it is.", { offers: "status" }, async (kit) => {
    const { state } = await kit.catalog.status({});
    hold(state === StoreState.READY || state === StoreState.DEGRADED, `the state is ${StoreState[state]}`);
  }),
  describe(
    "status.digest",
    "Status gives the digest and epoch of the description of now.",
    { offers: "status" },
    async (kit) => {
      const { digest, epoch } = await kit.catalog.describe({});
      const status = await kit.catalog.status({});
      same([status.digest, status.epoch], [digest, epoch], "digest and epoch");
    },
  ),
  describe(
    "status.refused",
    "Status tells on what a gateway says that it refuses of this description.",
    { offers: "status" },
    async (kit) => {
      const { digest } = await kit.catalog.describe({});
      const refused = [
        { group: kit.subject.ref.group, plural: kit.subject.ref.plural, reason: "scope: annex-certify says so" },
      ];
      await kit.catalog.status({ applied: { digest, refused } });
      const told = (await kit.catalog.status({})).refused;
      await kit.catalog.status({ applied: { digest, refused: [] } });
      same(
        told.map((one) => one.reason),
        ["scope: annex-certify says so"],
        "what was refused",
      );
      same((await kit.catalog.status({})).refused.length, 0, "what is refused after it was taken back");
    },
  ),
  describe("status.resources", "Status names only resources that are described.", { offers: "status" }, async (kit) => {
    const { resources } = await kit.catalog.status({});
    const known = new Set(kit.parts.subjects.map((subject) => subject.label));
    const stranger = resources.find((one) => !known.has(`${one.plural}.${one.group}`));
    hold(stranger === undefined, `it names ${stranger?.plural}.${stranger?.group}`);
  }),
  describe(
    "watch-description.first",
    "A watch of the description gives the present one first, whole.",
    { offers: "watchDescription" },
    async (kit) => {
      const { digest } = await kit.catalog.describe({});
      const catalog = createClient(CatalogService, kit.dial("grpc").transport);
      const stop = new AbortController();
      for await (const { description } of catalog.watchDescription({ gateway }, { signal: stop.signal })) {
        same(
          [description?.digest, description?.notModified, (description?.resources.length ?? 0) > 0],
          [digest, false, true],
          "the first description",
        );
        break;
      }
      stop.abort();
    },
  ),
];

/** The description's bytes but for the epoch, which the digest doesn't cover. */
function bytesOf(description: DescribeResponse): Uint8Array {
  return toBinary(DescribeResponseSchema, { ...description, epoch: "" });
}
