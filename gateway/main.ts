/**
 * A gateway from its configuration, and the package's door for programs that embed one.
 */
import { readFileSync } from "node:fs";
import type { Logger } from "pino";
import { createAuthentication } from "./authn/authn.ts";
import { createAuthorizer } from "./authz/authz.ts";
import type { GatewayConfig } from "./config.ts";
import { createGateway, type RunningGateway } from "./gateway.ts";

export type { HttpRequest } from "./apimachinery/http.ts";
export type { User } from "./apimachinery/user.ts";
export {
  type Authenticating,
  type Authenticator,
  createAuthentication,
  unionAuthenticator,
} from "./authn/authn.ts";
export {
  type Attributes,
  type Authorizer,
  createAuthorizer,
  type Decision,
  groupsAuthorizer,
  pathsAuthorizer,
  unionAuthorizer,
} from "./authz/authz.ts";
export {
  createGateway,
  type GatewayLog,
  type GatewayOptions,
  type ListenOptions,
  type RunningGateway,
} from "./gateway.ts";

/** Starts a gateway. @throws Error with a sentence for people if a file can't be read or the port is taken. */
export async function startGateway(config: GatewayConfig, { log }: { log: Logger }): Promise<RunningGateway> {
  const authentication = createAuthentication({
    ...config.authentication,
    clock: () => new Date(),
    log,
  });
  const manifests = config.authorization.rbacFiles.map((file) => ({ file, text: readFileSync(file, "utf8") }));
  return await createGateway({
    stores: config.stores,
    authenticator: authentication,
    authorizer: createAuthorizer({ allowedPaths: config.authorization.alwaysAllowPaths, manifests }),
    listener: config.listen,
    flowControl: config.flowControl,
    shutdown: config.shutdown,
    log,
  });
}
