# shellcheck shell=bash
# Tier 3: the chart's life on a real API server with real controllers and stand-in nodes, in a namespace that enforces Pod Security "restricted".
# Nothing of a container runs: probes, commands and images are not what this tests.
echo "tier 3: install, test, upgrade, rollback and uninstall on a real API server"

# shellcheck source-path=SCRIPTDIR
source "$here/cluster/control-plane.sh"

chart=helm/aftersend
# The same chart as an earlier version: what an upgrade changes in truth.
previous_chart() {
    rm -rf "$work/previous"
    cp -r "$chart" "$work/previous"
    sed -i -e 's/^version: .*/version: 0.0.9/' -e 's/^appVersion: .*/appVersion: 0.0.9/' "$work/previous/Chart.yaml"
}

values=(--set image.repository=acme/aftersend --set kafka.bootstrap=kafka:9092 --set tokenKey.existingSecret=aftersend
    --set gateway.existingSecret=aftersend --set customerioSink.existingSecret=aftersend)

in_namespace() { "$kubectl" --namespace "$namespace" "$@"; }
release() { "$helm" --namespace "$namespace" "$@"; }
# Helm 4 waits for what controllers say, Helm 3 has one way to wait.
waits() { if [ "$major" = 4 ]; then echo --wait=watcher; else echo --wait; fi; }

# expect WHAT WANTED COMMAND…: the command's output is what is wanted, within 30 s.
expect() {
    local what=$1 wanted=$2 found end=$((SECONDS + 30))
    shift 2
    while :; do
        found=$("$@" 2>&1 || true)
        [ "$found" = "$wanted" ] && return 0
        [ $SECONDS -lt $end ] || break
        sleep 0.5
    done
    printf '%s\n  wanted: %s\n  found:  %s\n' "$what" "$wanted" "$found"
    return 1
}

# refused TEXT COMMAND…: the command fails, and says so.
refused() {
    local text=$1 said
    shift
    if said=$("$@" 2>&1); then
        echo "accepted: $*"
        return 1
    fi
    grep -qF "$text" <<<"$said" || { printf 'refused without %q:\n%s\n' "$text" "$said"; return 1; }
}

make_namespace() {
    "$kubectl" create namespace "$namespace"
    "$kubectl" label namespace "$namespace" pod-security.kubernetes.io/enforce=restricted pod-security.kubernetes.io/enforce-version=latest
    in_namespace create secret generic aftersend --from-literal=signing-keys=k --from-literal=site-id=s --from-literal=api-key=a \
        --from-literal=token-key=0123456789abcdef
    # It does enforce: a pod like any other is not admitted.
    refused "violates PodSecurity" in_namespace run careless --image=acme/aftersend
}

is_installed() {
    release install prod "$work/previous" "${values[@]}" "$(waits)" --timeout 2m
    expect "pods" "6" count_ready
    # The hook's objects are gone.
    expect "jobs" "" in_namespace get jobs --output name
    expect "claims" "3" claims
    expect "instance" "\$(POD_NAMESPACE)/\$(POD_NAME)" in_namespace get statefulset prod-aftersend-processor \
        --output 'jsonpath={.spec.template.spec.containers[0].env[?(@.name=="AFTERSEND_PROCESSOR_INSTANCE")].value}'
    # Both are found by their Services, and no Job's pod is.
    expect "endpoints" "2" endpoints prod-aftersend-gateway
    expect "endpoints" "2" endpoints prod-aftersend-processor
}
count_ready() {
    in_namespace get pods --output 'jsonpath={range .items[*]}{.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}' | grep -c True
}
claims() { in_namespace get persistentvolumeclaims --output 'jsonpath={range .items[*]}{.status.phase}{"\n"}{end}' | grep -c Bound; }
endpoints() {
    in_namespace get endpointslices --selector "kubernetes.io/service-name=$1" --output 'jsonpath={range .items[*].endpoints[*]}{.targetRef.name}{"\n"}{end}' | grep -c .
}

is_tested() {
    # Helm 3 asks for the logs after it has removed the pods.
    if [ "$major" = 4 ]; then release test prod --timeout 1m --logs; else release test prod --timeout 1m; fi
    expect "pods of tests" "6" count_pods
}
count_pods() { in_namespace get pods --output name | grep -c .; }

is_upgraded() {
    release upgrade prod "$chart" "${values[@]}" --set processor.replicas=4 "$(waits)" --timeout 2m
    expect "pods" "8" count_ready
    expect "image" "acme/aftersend:0.1.0" in_namespace get statefulset prod-aftersend-processor --output 'jsonpath={.spec.template.spec.containers[0].image}'
    expect "claims" "5" claims
    expect "jobs" "" in_namespace get jobs --output name
}

# The same release again changes nothing: no controller replaces a pod.
is_unchanged() {
    local before
    before=$(generations)
    release upgrade prod "$chart" "${values[@]}" --set processor.replicas=4 "$(waits)" --timeout 2m
    expect "generations" "$before" generations
}
generations() { in_namespace get deployments,statefulsets --output 'jsonpath={range .items[*]}{.metadata.name}={.metadata.generation} {end}'; }

# Replicas go, their claims stay for when they come back.
is_scaled_in() {
    release upgrade prod "$chart" "${values[@]}" --set processor.replicas=1 "$(waits)" --timeout 2m
    expect "pods" "5" count_ready
    expect "claims" "5" claims
    expect "jobs" "" in_namespace get jobs --output name
}

refuses() {
    refused "changes from 20Gi to 50Gi" release upgrade prod "$chart" "${values[@]}" --set processor.persistence.size=50Gi
    refused "would leave the state's volumes behind" release upgrade prod "$chart" "${values[@]}" --set processor.persistence.enabled=false
    refused "One release per prefix" release install second "$chart" "${values[@]}"
    expect "releases" "prod" release list --short
}

# Topics that are not as they must be stop the upgrade before any pod is touched.
fails_at_bootstrap() {
    local before
    before=$(generations)
    refused "" release upgrade prod "$chart" "${values[@]}" --set processor.replicas=2 --set bootstrap.backoffLimit=0 \
        --set-string 'bootstrap.podAnnotations.stand-in/fail=true' "$(waits)" --timeout 1m
    expect "generations" "$before" generations
    in_namespace delete job prod-aftersend-bootstrap --ignore-not-found
}

is_rolled_back() {
    release rollback prod 1 "$(waits)" --timeout 2m
    expect "image" "acme/aftersend:0.0.9" in_namespace get statefulset prod-aftersend-processor --output 'jsonpath={.spec.template.spec.containers[0].image}'
    expect "pods" "6" count_ready
    expect "jobs" "" in_namespace get jobs --output name
}

is_gone() {
    release uninstall prod --wait --timeout 2m
    expect "pods" "0" count_pods_or_none
    # The state and the warehouse outlive the release.
    expect "claims" "5" claims
    expect "what is left" "" in_namespace get deployments,statefulsets,services,jobs,poddisruptionbudgets,networkpolicies,serviceaccounts \
        --selector app.kubernetes.io/instance=prod --output name
    "$kubectl" delete namespace "$namespace" --wait=false
}
count_pods_or_none() { in_namespace get pods --output name 2>/dev/null | grep -c . || true; }

life() { # MAJOR
    major=$1
    helm=${helms[$major]}
    namespace=helm$major
    step "helm $major: a namespace under Pod Security \"restricted\"" make_namespace
    step "helm $major: installs; every pod ready, volumes bound, hooks gone" is_installed
    step "helm $major: tests" is_tested
    step "helm $major: upgrades from the version before, with more processors" is_upgraded
    step "helm $major: the same again replaces nothing" is_unchanged
    step "helm $major: scales in, and keeps the claims" is_scaled_in
    step "helm $major: refuses what the cluster could not do" refuses
    step "helm $major: a failed bootstrap touches no pod" fails_at_bootstrap
    step "helm $major: rolls back" is_rolled_back
    step "helm $major: uninstalls, and the claims stay" is_gone
}

kubernetes_version=$(required kubernetes k8s.io/kubernetes)
kubernetes_version=${kubernetes_version#v}
kubernetes_tool() { # NAME
    local stamp=k8s.io/component-base/version minor=${kubernetes_version#1.}
    go_tool "$1" kubernetes "k8s.io/kubernetes/cmd/$1" \
        "-X $stamp.gitVersion=v$kubernetes_version -X $stamp.gitMajor=1 -X $stamp.gitMinor=${minor%%.*} -X $stamp.gitTreeState=clean"
}

helms=()
cluster_tools() {
    local name
    for major in 3 4; do
        go_tool helm$major helm$major helm.sh/helm/v$major/cmd/helm "-X helm.sh/helm/v$major/internal/version.version=$(required helm$major helm.sh/helm/v$major)" || return 1
        helms[major]=$go_tool_path
    done
    go_tool etcd etcd go.etcd.io/etcd/server/v3 && etcd=$go_tool_path || return 1
    go_tool kwok kwok sigs.k8s.io/kwok/cmd/kwok && kwok=$go_tool_path || return 1
    kubernetes_tool kube-apiserver && apiserver=$go_tool_path || return 1
    kubernetes_tool kube-controller-manager && controllers=$go_tool_path || return 1
    kubernetes_tool kube-scheduler && scheduler=$go_tool_path || return 1
    kubernetes_tool kubectl && kubectl=$go_tool_path || return 1
}

if ! go_fits; then
    skip "tier 3" "Go is missing (1.21 or newer; a newer one comes by itself)"
elif ! have openssl || ! have python3; then
    skip "tier 3" "openssl or python3 is missing"
elif ! cluster_tools; then
    failed+=("tier 3: its tools can't be built")
else
    version kubernetes "v$kubernetes_version"
    version etcd "$(required etcd go.etcd.io/etcd/server/v3)"
    version kwok "$(required kwok sigs.k8s.io/kwok)"
    version "helm 3" "$("${helms[3]}" version --short)"
    version "helm 4" "$("${helms[4]}" version --short)"
    # Nothing of the caller's Helm is used or changed.
    export HELM_CONFIG_HOME=$work/helm HELM_CACHE_HOME=$work/helm HELM_DATA_HOME=$work/helm
    cleanups+=(control_plane_down)
    if control_plane_up; then
        previous_chart
        life 3
        life 4
    else
        failed+=("tier 3: the control plane doesn't come up")
    fi
fi
