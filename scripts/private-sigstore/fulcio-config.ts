import { stringify } from "yaml";
import type { Issuer, Realm } from "./issuer.ts";

/**
 * Fulcio's configuration (sigstore/fulcio, docs/oidc.md) for the issuer's realms: e-mail addresses as the public-good
 * instance reads Google's, and CI jobs as it reads GitHub's and GitLab's. YAML: in JSON its
 * keys are others.
 */
export function fulcioConfig(issuer: Issuer): string {
  const entry = (realm: Realm, how: object) => {
    const url = issuer.url(realm);
    return [url, { "issuer-url": url, "client-id": "sigstore", ...how }] as const;
  };
  return stringify({
    "oidc-issuers": Object.fromEntries([
      entry("people", { type: "email" }),
      entry("github", { type: "ci-provider", "ci-provider": "github-workflow" }),
      entry("gitlab", { type: "ci-provider", "ci-provider": "gitlab-pipeline" }),
    ]),
    "ci-issuer-metadata": { "github-workflow": GITHUB, "gitlab-pipeline": GITLAB },
  });
}

/** A value with braces is a template, any other is the name of a claim. */
const GITHUB = {
  "default-template-values": { url: "https://github.com" },
  "extension-templates": {
    "github-workflow-trigger": "event_name",
    "github-workflow-sha": "sha",
    "github-workflow-name": "workflow",
    "github-workflow-repository": "repository",
    "github-workflow-ref": "ref",
    "build-signer-uri": "{{ .url }}/{{ .job_workflow_ref }}",
    "build-signer-digest": "job_workflow_sha",
    "runner-environment": "runner_environment",
    "source-repository-uri": "{{ .url }}/{{ .repository }}",
    "source-repository-digest": "sha",
    "source-repository-ref": "ref",
    "build-config-uri": "{{ .url }}/{{ .workflow_ref }}",
    "build-trigger": "event_name",
    "run-invocation-uri":
      "{{ .url }}/{{ .repository }}/actions/runs/{{ .run_id }}/attempts/{{ .run_attempt }}",
  },
  "subject-alternative-name-template": "{{ .url }}/{{ .job_workflow_ref }}",
};

const GITLAB = {
  "default-template-values": { url: "https://gitlab.com" },
  "extension-templates": {
    "build-signer-uri": "https://{{ .ci_config_ref_uri }}",
    "build-signer-digest": "ci_config_sha",
    "runner-environment": "runner_environment",
    "source-repository-uri": "{{ .url }}/{{ .project_path }}",
    "source-repository-digest": "sha",
    "source-repository-ref": 'refs/{{if eq .ref_type "branch"}}heads/{{ else }}tags/{{end}}{{ .ref }}',
    "build-config-uri": "https://{{ .ci_config_ref_uri }}",
    "build-trigger": "pipeline_source",
    "run-invocation-uri": "{{ .url }}/{{ .project_path }}/-/jobs/{{ .job_id }}",
  },
  "subject-alternative-name-template": "https://{{ .ci_config_ref_uri }}",
};
