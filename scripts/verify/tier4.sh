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

if [ ! -x "$binary" ]; then
    skip "tier 4" "the binary isn't built: make build"
elif ! go_fits || ! python_tools || ! have java || ! have mvn; then
    skip "tier 4" "Go, python3 with venv, Java or Maven is missing"
elif ! go_tool compose compose github.com/docker/compose/v5/cmd "-X github.com/docker/compose/v5/internal.Version=$(required compose github.com/docker/compose/v5)"; then
    failed+=("tier 4: docker compose can't be built")
elif ! broker_up; then
    failed+=("tier 4: Kafka doesn't start")
else
    compose=$go_tool_path
    version "Apache Kafka" "$broker_version"
    step "compose: every service, with its own command and environment, on a real broker" compose_roles
    step "chart: every role, with its rendered arguments, variables, files and probes, on a real broker" chart_roles
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
