/**
 * How many streams are open, of each user and in all.
 *
 * A stream has no deadline, so nothing else ends those that a client forgets; each holds a socket, a
 * call of its store and parts of both directions in memory. kube-apiserver has no such limit: kubelet
 * stands behind its streams, here the gateway itself does.
 */
import { tooManyRequests } from "../apimachinery/status.ts";
import type { User } from "../apimachinery/user.ts";

/** What may be open at a time. */
export interface StreamLimits {
  readonly perUser: number;
  readonly inAll: number;
}

/** More terminals than a person has, and enough for a controller; a gateway's streams stay below 1 GB. */
const streamLimits: StreamLimits = { perUser: 256, inAll: 4_096 };

/** Seats for streams. */
export interface StreamSeats {
  /**
   * Takes a seat. @returns what gives it back; more than once is once.
   * @throws StatusError 429 with Retry-After.
   */
  take(user: User): () => void;
}

const retrySeconds = 5;

/** Makes the seats of one gateway. */
export function createStreamSeats({ perUser, inAll }: StreamLimits = streamLimits): StreamSeats {
  const taken = new Map<string, number>();
  let all = 0;
  return {
    take({ name }) {
      const own = taken.get(name) ?? 0;
      if (own >= perUser)
        throw tooManyRequests(`user "${name}" has ${own} open streams, close one first`, retrySeconds);
      if (all >= inAll) throw tooManyRequests("too many open streams, please try again later", retrySeconds);
      taken.set(name, own + 1);
      all++;
      let isTaken = true;
      return () => {
        if (!isTaken) return;
        isTaken = false;
        all--;
        const left = (taken.get(name) ?? 0) - 1;
        if (left > 0) taken.set(name, left);
        else taken.delete(name);
      };
    },
  };
}
