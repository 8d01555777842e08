#!/usr/bin/env bash
# install.sh SOURCE VENV: install reconcile from a checkout of it, everything it stands on pinned by hash.
set -euo pipefail

source=$1 venv=$2
mark=$venv/.reconciler
[[ -f $mark && $(<"$mark") == "$source" ]] && exit 0 # a second use in the same job

mkdir -p "$(dirname "$venv")"
cd "$(dirname "$venv")" # never in the checkout under review: python -m looks for modules in the current folder
export PYTHONSAFEPATH=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
python3 -I -c 'import sys; sys.exit("reconcile needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
python3 -I -m venv --clear "$venv"
pip() { "$venv/bin/python" -I -m pip install --quiet --no-deps "$@"; }
# Wheels alone: installing one runs none of its code.
pip --require-hashes --only-binary :all: --requirement "$source/requirements/runtime.txt"
pip --no-index --no-build-isolation "$source"
printf '%s' "$source" >"$mark"
