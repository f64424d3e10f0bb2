import type { ComponentKind, FolderView } from "../kind.ts";
import { describeTree } from "./tree-kind.ts";

const BY_NAME =
  /(^|\/)(Dockerfile[^/]*|Containerfile|[^/]*\.dockerfile|(docker-)?compose[^/]*\.ya?ml|[^/]*\.tf|[^/]*\.tf\.json|[^/]*\.tfvars|\.terraform\.lock\.hcl|kustomization\.ya?ml|Chart\.ya?ml|helmfile\.ya?ml|serverless\.ya?ml|[^/]*\.bicep)$/;

/** Kubernetes, Terraform, CloudFormation, Dockerfiles: what the agent runs on. */
export const infra: ComponentKind = {
  kind: "infra",
  about: "Dockerfiles, Kubernetes, Terraform and CloudFormation files, as they are",
  detect(view) {
    const paths = view.files.map((f) => f.path).filter((path) => BY_NAME.test(path) || byContent(view, path));
    if (paths.length === 0) return [];
    const where = paths.length === 1 ? { path: paths[0]! } : { paths };
    return [
      {
        declared: { kind: "infra", name: "deployment", ...where },
        because: `${paths.length} infrastructure file${paths.length === 1 ? "" : "s"}`,
      },
    ];
  },
  describe: describeTree,
};

function byContent(view: FolderView, path: string): boolean {
  if (!/\.(ya?ml|json|template)$/i.test(path) || /(^|\/)\.github\//.test(path)) return false;
  const head = view.head(path, 4096).toString("utf8");
  const kubernetes = /^apiVersion:\s*\S+/m.test(head) && /^kind:\s*\S+/m.test(head);
  return kubernetes || /AWSTemplateFormatVersion|"?Type"?:\s*"?AWS::/.test(head);
}
