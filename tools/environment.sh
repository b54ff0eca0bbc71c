#!/usr/bin/env bash
# Create .venv and install the project into it with the versions of constraints.txt.
#   tools/environment.sh book        what `make book` needs
#   tools/environment.sh book,test   what `make test` needs
# Nothing is done while the stamp is newer than pyproject.toml and constraints.txt.
set -eo pipefail
cd "$(dirname "$0")/.."
extras="${1:?which extras: book or book,test}"
stamp=".venv/.installed-${extras//,/-}"

# Everything of `book,test` covers `book`.
for present in "$stamp" .venv/.installed-book-test; do
    [ -e "$present" ] && [ "$present" -nt pyproject.toml ] && [ "$present" -nt constraints.txt ] && exit 0
done

suitable() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; }

find_python() {
    for candidate in "${PYTHON:-}" python3.11 python3.12 python3.13 python3 python; do
        if [ -n "$candidate" ] && command -v "$candidate" >/dev/null && suitable "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    echo "Python 3.11, 3.12 or 3.13 is needed; set PYTHON=/path/to/python" >&2
    return 1
}

if [ ! -x .venv/bin/python ]; then
    python="$(find_python)"
    if ! "$python" -c 'import ensurepip' 2>/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq && apt-get install -y -qq python3-venv  # Debian keeps ensurepip in its own package
    fi
    echo "creating .venv with $("$python" --version)"
    "$python" -m venv .venv
fi

echo "installing hcg-book[$extras] (a few minutes the first time)"
.venv/bin/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e ".[$extras]"
touch "$stamp"
