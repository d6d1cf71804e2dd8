#!/usr/bin/env bash
# What the extras take on disk, each in a new environment: benchmarks/size.sh
set -euo pipefail
cd "$(dirname "$0")/.."
for extras in cpu cpu,ivfpq cpu,calibrate; do
  folder=$(mktemp -d)
  python3 -m venv "$folder"
  "$folder/bin/pip" install --quiet --disable-pip-version-check ".[$extras]" 2>/dev/null
  echo "[$extras] $(du -sm "$folder" | cut -f1) MB;" "heavy packages in it: $("$folder/bin/pip" list 2>/dev/null | grep -ciE '^(torch|scipy|scikit-learn|matplotlib) ' || true)"
  "$folder/bin/inspectd" --version
  rm -rf "$folder"
done
