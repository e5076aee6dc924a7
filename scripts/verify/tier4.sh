# shellcheck shell=bash
# Tier 4: what `make build` built. Each role as a process, with the arguments, variables and files that the chart and the compose file give it,
# against a real Kafka; and the image around the binary.
echo "tier 4: the roles as the chart and the compose file start them, and the image"

# shellcheck source-path=SCRIPTDIR
source "$here/broker.sh"
# shellcheck source-path=SCRIPTDIR
source "$here/image.sh"

binary=${CARGO_TARGET_DIR:-target}/release/aftersend

compose_roles() {
    "$compose" --file docker-compose.yml config --format json >"$work/compose.json"
    "$python/python" "$here/roles.py" compose "$work/compose.json" "$binary" "$broker"
}

chart_roles() { "$python/python" "$here/roles.py" chart helm/aftersend/ci/rendered/minimal.yaml "$binary" "$broker"; }

stock_consumers() { "$python/python" "$here/consumers.py" "$broker" "$consumer_jars"; }

if ! python_tools || ! have java || ! have mvn; then
    skip "tier 4: consumers and roles" "python3 with venv, Java or Maven is missing"
elif ! broker_up; then
    failed+=("tier 4: Kafka doesn't start")
else
    version "Apache Kafka" "$broker_version"
    if jars_of tests/contract/consumers/java/pom.xml; then
        consumer_jars=$jars
        step "contracts: stock consumers in Python and Java read every public topic" stock_consumers
    else
        failed+=("tier 4: the jars of the Java consumer can't be had")
    fi
fi

if [ -z "${broker:-}" ]; then
    :
elif [ ! -x "$binary" ]; then
    skip "tier 4: roles" "the binary isn't built: make build"
elif ! go_fits; then
    skip "tier 4: roles" "Go is missing"
elif ! go_tool compose compose github.com/docker/compose/v5/cmd "-X github.com/docker/compose/v5/internal.Version=$(required compose github.com/docker/compose/v5)"; then
    failed+=("tier 4: docker compose can't be built")
else
    compose=$go_tool_path
    step "compose: every service, with its own command and environment, on a real broker" compose_roles
    # Until the binary has all subcommands that the chart renders, there is nothing to hold it against.
    if ! "$binary" processor leave --help >/dev/null 2>&1; then
        skip "chart: roles with their rendered arguments" "this binary has no 'processor leave'"
    else
        step "chart: every role, with its rendered arguments, variables, files and probes, on a real broker" chart_roles
    fi
fi

if [ ! -x "$binary" ]; then
    skip "image" "the binary isn't built: make build"
elif ! image_can_be_built; then
    skip "image" "it needs root, buildah, podman, runc and mmdebstrap (Debian's packages)"
else
    version buildah "$(buildah --version | cut -d ' ' -f 3)"
    version podman "$(podman --version | cut -d ' ' -f 3)"
    image_settings
    cleanups+=(image_down)
    step "image: a base of the same Debian packages" base_image
    step "image: its runtime stages build" build_image
    step "image: runs without root, rights and a writable disk" image_runs
    step "image: process 1 hears SIGTERM" image_stops
    step "image: a new volume is the user's" image_volume
fi
