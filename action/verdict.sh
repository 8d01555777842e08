#!/usr/bin/env bash
# Succeed when EXIT_CODE is one of ALLOWED, numbers with spaces or commas between them; else end with it.
set -euo pipefail

for code in ${ALLOWED//,/ }; do
  [[ $code =~ ^[0-9]{1,3}$ ]] || { echo "::error title=reconcile action::allowed-exit-codes takes numbers" && exit 3; }
  [[ $code != "$EXIT_CODE" ]] || exit 0
done
echo "::error title=reconcile::reconcile ended with exit code $EXIT_CODE; the step above says why"
exit "$EXIT_CODE"
