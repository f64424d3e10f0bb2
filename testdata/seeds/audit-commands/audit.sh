#!/bin/sh
# Asks each ecosystem's own tool for known vulnerabilities; any of them fails the build.
set -eu
pip-audit
pnpm audit
govulncheck ./...
