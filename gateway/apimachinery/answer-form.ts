/**
 * The form in which an answer is asked for: media type, Kubernetes' transforms, indentation.
 *
 * negotiation reads it from Accept, render obeys it.
 */

/** One form. `as` is "" for the object as it is. */
export interface AnswerForm {
  readonly mediaType: "application/json" | "application/yaml";
  readonly as: "" | "Table" | "PartialObjectMetadata" | "PartialObjectMetadataList";
  /** Version of meta.k8s.io for a transform. */
  readonly asVersion: "v1" | "v1beta1";
  /** Two spaces a level; JSON only. */
  readonly pretty: boolean;
}

/** What a client that asks for nothing gets. */
export const plainJson: AnswerForm = { mediaType: "application/json", as: "", asVersion: "v1", pretty: false };
