import { treeDigest } from "../../core/tree.ts";
import type { Described, DescribeInput } from "../kind.ts";

export const TREE_MEDIA_TYPE = "application/vnd.waybill.tree.v1+json";

/** Digest of a component that is nothing but its files. */
export function describeTree({ leaves }: DescribeInput): Described {
  return { digest: treeDigest(leaves), mediaType: TREE_MEDIA_TYPE };
}
