# shellcheck shell=bash
# Steps, what they found, and where tools are kept. Sourced by `run`.

cache=${AFTERSEND_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/aftersend}/verify
mkdir -p "$cache/bin"
work=$(mktemp -d "${TMPDIR:-/tmp}/aftersend-verify.XXXXXX")
cleanups=()
finish() {
    local cleanup
    for cleanup in "${cleanups[@]}"; do $cleanup || true; done
    rm -rf "$work"
}
trap finish EXIT

passed=0
failed=()
skipped=()
versions=()

say() { printf 'verify: %s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

# step NAME COMMAND…: runs it quietly, and shows what it said where it fails.
step() {
    local name=$1 log started=$SECONDS
    shift
    log=$work/$(printf '%s' "$name" | tr -c 'a-zA-Z0-9' '-').log
    # In a subshell with errexit of its own: in a condition, bash would ignore every failure but the last.
    set +e
    (set -e; "$@") >"$log" 2>&1
    local code=$?
    set -e
    if [ $code = 0 ]; then
        passed=$((passed + 1))
        printf '  ok    %s (%d s)\n' "$name" $((SECONDS - started))
    else
        failed+=("$name")
        printf '  FAIL  %s\n' "$name"
        sed 's/^/        /' "$log" | tail -n 60
    fi
}

# skip NAME WHY
skip() {
    skipped+=("$1: $2")
    printf '  skip  %s: %s\n' "$1" "$2"
}

# version NAME TEXT: said at the end.
version() { versions+=("$(printf '%-22s %s' "$1" "$2")"); }

summary() {
    local line
    printf '\nwith\n'
    if [ ${#versions[@]} -gt 0 ]; then printf '  %s\n' "${versions[@]}" | sort -u; fi
    printf '\n%d checks passed, %d failed, %d skipped\n' "$passed" ${#failed[@]} ${#skipped[@]}
    for line in "${skipped[@]}"; do printf '  skipped  %s\n' "$line"; done
    for line in "${failed[@]}"; do printf '  failed   %s\n' "$line"; done
    if [ ${#failed[@]} -gt 0 ]; then exit 1; fi
    if [ ${#skipped[@]} -gt 0 ] && [ -n "${VERIFY_STRICT:-}" ]; then exit 1; fi
}
