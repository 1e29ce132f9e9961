/**
 * Server reflection, so that grpcurl and `buf curl` can call a store without its .proto.
 *
 * Source: grpc.reflection.v1.
 */
import { createRegistry, type DescFile, type DescService, type Registry, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, type ConnectRouter } from "@connectrpc/connect";
import { ServerReflection } from "../../gen/grpc/reflection/v1/reflection_pb.js";

/** Registers reflection over the given services. */
export function reflectionRoutes(services: readonly DescService[]): (router: ConnectRouter) => void {
  const files = new Map(
    services.flatMap((service) => withDependencies(service.file)).map((file) => [`${file.name}.proto`, file]),
  );
  const registry = createRegistry(...files.values());
  const names = services.map((service) => ({ name: service.typeName }));
  return (router) => {
    router.service(ServerReflection, {
      async *serverReflectionInfo(requests) {
        for await (const request of requests) {
          const { case: kind, value } = request.messageRequest;
          const base = { validHost: request.host, originalRequest: request };
          if (kind === "listServices") {
            yield { ...base, messageResponse: { case: "listServicesResponse" as const, value: { service: names } } };
            continue;
          }
          const file =
            kind === "fileByFilename"
              ? files.get(value)
              : kind === "fileContainingSymbol"
                ? fileOfSymbol(registry, value)
                : undefined;
          if (file === undefined) {
            const error = { errorCode: Code.NotFound, errorMessage: `not found: ${String(value)}` };
            yield { ...base, messageResponse: { case: "errorResponse" as const, value: error } };
            continue;
          }
          const fileDescriptorProto = withDependencies(file).map((one) =>
            toBinary(FileDescriptorProtoSchema, one.proto),
          );
          yield {
            ...base,
            messageResponse: { case: "fileDescriptorResponse" as const, value: { fileDescriptorProto } },
          };
        }
      },
    });
  };
}

/** A symbol is a type, or a member of one: the longest prefix that is known decides. */
function fileOfSymbol(registry: Registry, symbol: string): DescFile | undefined {
  for (let name = symbol; name !== ""; name = name.slice(0, Math.max(0, name.lastIndexOf(".")))) {
    const found = registry.get(name);
    if (found !== undefined) return found.file;
  }
  return undefined;
}

function withDependencies(file: DescFile): DescFile[] {
  const found = new Set<DescFile>();
  const queue = [file];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    if (found.has(next)) continue;
    found.add(next);
    queue.push(...next.dependencies);
  }
  return [...found];
}
