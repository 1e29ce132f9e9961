/**
 * An object of a resource's copy: as it lies in the store, and as clients of each version see it.
 *
 * A view is made when somebody first needs it and its bytes are kept, because they are written many
 * times. The parsed object is held weakly: it takes several times the memory of its bytes.
 */

import { jsonParser } from "../apimachinery/json.ts";
import { type KubeObject, labelsOf, type ObjectView } from "../apimachinery/object.ts";
import { ownBytes } from "../apimachinery/own-bytes.ts";
import type { ResourceVersionDefinition } from "../apimachinery/resource.ts";
import { finish } from "../apimachinery/steps.ts";
import type { StoredObject } from "../registry/registry.ts";

/** Turns a stored object into what clients of a version see, under the given revision. */
export interface Presenter {
  now(version: ResourceVersionDefinition, stored: StoredObject, revision: bigint): ObjectView;
  /** The same for a large object, with turns of the event loop in between. */
  inSlices(version: ResourceVersionDefinition, stored: StoredObject, revision: bigint): Promise<ObjectView>;
}

/** Bytes from which an object is made ready in slices: about a millisecond's work. */
const largeBytes = 128 * 1024;

/** One state of one object. */
export class CachedObject {
  readonly stored: StoredObject;
  readonly #revision: bigint;
  readonly #presenter: Presenter;
  /** Nearly every resource is asked for in one version. */
  #first: { readonly version: string; readonly view: ObjectView } | undefined;
  #others: Map<string, ObjectView> | undefined;

  /** @param revision what it is shown under: its own, or for its last state that of its removal. */
  constructor(stored: StoredObject, revision: bigint, presenter: Presenter) {
    this.stored = stored;
    this.#revision = revision;
    this.#presenter = presenter;
  }

  /** What clients of a version see. */
  view(version: ResourceVersionDefinition): ObjectView {
    return this.#known(version) ?? this.#keep(version, this.#presenter.now(version, this.stored, this.#revision));
  }

  /** Makes the view of a large object without holding the event loop; undefined: there is nothing to wait for. */
  prepare(version: ResourceVersionDefinition): Promise<void> | undefined {
    if (this.stored.json.length < largeBytes || this.#known(version) !== undefined) return undefined;
    return this.#presenter.inSlices(version, this.stored, this.#revision).then((view) => {
      this.#keep(version, view);
    });
  }

  #known(version: ResourceVersionDefinition): ObjectView | undefined {
    return this.#first?.version === version.name ? this.#first.view : this.#others?.get(version.name);
  }

  #keep(version: ResourceVersionDefinition, made: ObjectView): ObjectView {
    const view = new KeptView(made);
    if (this.#first === undefined) this.#first = { version: version.name, view };
    else {
      this.#others ??= new Map();
      this.#others.set(version.name, view);
    }
    return view;
  }
}

/** A view whose bytes and labels are kept, and whose parsed object is as long as memory allows. */
class KeptView implements ObjectView {
  readonly json: Uint8Array;
  readonly labels: Readonly<Record<string, string>>;
  #value: WeakRef<KubeObject> | undefined;

  constructor({ json, value }: ObjectView) {
    this.json = ownBytes(json);
    this.labels = labelsOf(value);
  }

  get value(): KubeObject {
    let value = this.#value?.deref();
    if (value === undefined) {
      value = finish(jsonParser(this.json)).value as KubeObject;
      this.#value = new WeakRef(value);
    }
    return value;
  }
}
