#!/usr/bin/env bash
# Checks every shell script of the project.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

exec shellcheck -x scripts/*.sh tools/*.sh docker/*.sh docker/relay/*.sh docker/agent/agent-health \
  deploy/debian/p* .ci/run tests/e2e/harness/*.sh
