/**
 * Label and field selectors under one door: what list, watch, the authorizer and stores' hints read.
 */
export {
  type FieldRequirement,
  type FieldSelector,
  formatFieldSelector,
  matchesFields,
  parseFieldSelector,
  requiresExactMatch,
} from "./field-selector.ts";
export {
  formatLabelSelector,
  type LabelOperator,
  type LabelRequirement,
  type LabelSelector,
  type Labels,
  matchesLabels,
  parseLabelSelector,
  requiresExactLabel,
} from "./label-selector.ts";
