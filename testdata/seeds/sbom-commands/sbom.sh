#!/bin/sh
# One SBOM of the project, one of the published image.
set -eu
syft dir:. -o spdx-json > sbom.spdx.json
syft ghcr.io/myorg/agent:v1.2.3 -o spdx-json > image-sbom.spdx.json
