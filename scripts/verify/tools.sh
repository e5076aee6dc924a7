# shellcheck shell=bash
# Where each tool comes from. Go tools are modules of their own under tools/, so that go.sum holds what they are made of;
# Python's and Node's are listed with their versions there. A changed list is a new folder in the cache.

tools=$root/scripts/verify/tools
# A polite build: other things run on this machine too.
polite=(nice -n "${VERIFY_NICE:-10}")

hash_of() { cat "$@" | sha256sum | cut -c 1-12; }

# go_tool NAME MODULE PACKAGE [LDFLAGS]: builds it once; `$go_tool_path` is where.
go_tool() {
    local name=$1 module=$2 package=$3 flags=${4:-}
    go_tool_path=$cache/bin/$name-$(hash_of "$tools/$module/go.mod" "$tools/$module/go.sum")
    [ -x "$go_tool_path" ] && return 0
    say "building $name (once)"
    (
        cd "$tools/$module"
        export CGO_ENABLED=0 GOWORK=off GOFLAGS=-buildvcs=false
        # A newer Go, where a module asks for it, comes as a module too.
        export GOTOOLCHAIN=${GOTOOLCHAIN:-auto}
        "${polite[@]}" go build -p "${VERIFY_JOBS:-2}" -mod=readonly -trimpath -ldflags "-s -w $flags" -o "$go_tool_path.new" "$package"
    ) >&2 || return 1
    mv "$go_tool_path.new" "$go_tool_path"
}

# The version that a tool's go.mod requires of a module.
required() { awk -v module="$2" '$1 == "require" && $2 == module {print $3} $1 == module {print $2}' "$tools/$1/go.mod" | head -n 1; }

go_fits() { have go && [ "$(printf '%s\n' 1.21 "$(go env GOVERSION | sed 's/^go//')" | sort -V | head -n 1)" = 1.21 ]; }

# python_tools: a virtual environment with everything in tools/python; `$python` is its folder of programs.
python_tools() {
    local folder
    have python3 || return 1
    folder=$cache/python-$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')-$(hash_of "$tools/python/requirements.txt")
    python=$folder/bin
    [ -e "$folder/complete" ] && return 0
    say "installing Python tools (once)"
    rm -rf "$folder"
    { python3 -m venv "$folder" &&
        "$python/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$tools/python/requirements.txt" &&
        touch "$folder/complete"; } >&2
}

# node_tools: the packages of tools/node; `$node` is their folder.
node_tools() {
    have node && have npm || return 1
    node=$cache/node-$(hash_of "$tools/node/package.json" "$tools/node/package-lock.json")
    [ -e "$node/complete" ] && return 0
    say "installing Node tools (once)"
    rm -rf "$node"
    mkdir -p "$node"
    cp "$tools/node/package.json" "$tools/node/package-lock.json" "$node/"
    { (cd "$node" && npm ci --ignore-scripts --no-audit --no-fund --silent) && touch "$node/complete"; } >&2
}
