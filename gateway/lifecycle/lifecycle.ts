/**
 * The life of an object: what the server fills in, guards and refuses from its creation to its end.
 *
 * Pure functions: clock, uid and randomness are arguments, and no function changes an object that it
 * was given; results may share parts with it. verbs calls them in this order, with patch, schema and
 * admission between (`current` is the stored object with its resourceVersion, in the version asked):
 *
 *   create   acceptForCreate → (mutating admission) → prepareForCreate → validateForCreate (+ schema)
 *            → warningsOnCreate → assertNoResourceVersion → write storedForm; nameTaken if it exists.
 *            A generated name: prepareForCreate again for each of `maxNameTries`.
 *   update   acceptForUpdate → [PUT] assertUid → (mutating admission) → resolveResourceVersion
 *            → prepareForUpdate → validateForUpdate (+ schema) → warningsOnUpdate
 *            → finishesDeletion? remove : isUnchanged? answer current : write storedForm
 *   delete   planDeletion → remove, store, or nothing to do
 *
 * Where the generic registry and custom resources differ, custom resources are the model: so there
 * is no graceful deletion (a grace period is ignored).
 * Source: apiserver pkg/registry/rest/{create,update,delete,meta}.go,
 * pkg/registry/generic/registry/store.go, pkg/endpoints/handlers/{create,update,patch}.go;
 * apiextensions-apiserver pkg/registry/customresource/{strategy,status_strategy,validator}.go.
 */
export { acceptForCreate, assertNoResourceVersion, type CreateSources, prepareForCreate } from "./create.ts";
export { type DeletionPlan, planDeletion } from "./deletion.ts";
export { warningsOnCreate, warningsOnUpdate } from "./finalizers.ts";
export { maxNameTries, nameTaken } from "./generate-name.ts";
export { validateEmbeddedMeta } from "./object-meta.ts";
export { assertNameInPath, assertUid, resolveResourceVersion } from "./preconditions.ts";
export { validateScale } from "./scale-fields.ts";
export { isUnchanged, storedForm, unchangedSteps } from "./stored-form.ts";
export { acceptForUpdate, finishesDeletion, prepareForUpdate, prepareForUpdateSteps } from "./update.ts";
export { validateForCreate, validateForUpdate, validateTypeMeta } from "./validation.ts";
export type { WithWarnings, WriteScope } from "./write-scope.ts";
