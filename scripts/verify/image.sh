# shellcheck shell=bash
# The Dockerfile's runtime stages, built and run with the binary that is there: buildah and podman, on a stand-in for the base image that is made of
# the same Debian packages. The stages that compile are left out.

image_can_be_built() {
    [ "$(id -u)" = 0 ] && have buildah && have podman && have mmdebstrap && have runc
}

# Both need settings of their own: a kernel without overlayfs, and without the cgroups that crun wants, will do.
image_settings() {
    local folder=$work/containers
    mkdir -p "$folder"
    printf '[storage]\ndriver="vfs"\nrunroot="%s/run"\ngraphroot="%s/root"\n' "$folder" "$folder" >"$folder/storage.conf"
    printf '[containers]\ndefault_ulimits=["nofile=4096:4096","nproc=4096:4096"]\n[engine]\nruntime="runc"\ncgroup_manager="cgroupfs"\n' >"$folder/containers.conf"
    export CONTAINERS_STORAGE_CONF=$folder/storage.conf CONTAINERS_CONF=$folder/containers.conf STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
}

runtime_image() {
    sed -n 's/^ARG RUNTIME=//p' Dockerfile
}

base_image() {
    local release packages container mount
    release=$(sed -n 's/^ARG DEBIAN=//p' Dockerfile)
    packages=$(grep -v '^#' "$here/image-libraries.txt" | cut -d ' ' -f 2 | sort -u | paste -sd ,)
    mmdebstrap --quiet --variant=extract --include="base-files,netbase,tzdata,ca-certificates,$packages" "$release" "$work/base.tar" \
        "deb http://deb.debian.org/debian $release main"
    container=$(buildah from scratch)
    mount=$(buildah mount "$container")
    tar --directory "$mount" --extract --file "$work/base.tar"
    echo 'nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin' >>"$mount/etc/passwd"
    buildah umount "$container"
    buildah commit --quiet "$container" "$(runtime_image)"
}

# The stages that compile, replaced by what they would leave behind; all that follows is the Dockerfile's own text.
build_image() {
    local context=$work/image
    mkdir -p "$context/data"
    strip -o "$context/aftersend" "$binary"
    {
        sed -n '/^ARG RUNTIME=/p' Dockerfile
        printf 'FROM scratch AS toolchain\nCOPY data /data\nFROM scratch AS build\nCOPY aftersend /out/aftersend\n'
        sed -n '/^FROM .* AS runtime$/,$p' Dockerfile | sed '/^FROM runtime AS demo$/,/^ENTRYPOINT/d'
    } >"$context/Dockerfile"
    cat "$context/Dockerfile"
    buildah bud --pull-never --network host --format docker --tag aftersend:verify "$context"
}

restricted=(--network host --read-only --cap-drop all --security-opt no-new-privileges)

# Not root, nothing to write, no rights: and it still says its version.
image_runs() {
    [ "$(podman inspect --format '{{.Config.User}} {{.Config.StopSignal}}' aftersend:verify)" = "65532:65532 SIGTERM" ]
    podman run --rm "${restricted[@]}" aftersend:verify --version
}

# As process 1 it hears SIGTERM, drains and ends with 0. No broker is needed for that.
image_stops() {
    local port code
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    podman run --detach --name aftersend-verify "${restricted[@]}" --env AFTERSEND_KAFKA=127.0.0.1:1 --env AFTERSEND_LISTEN=127.0.0.1:0 \
        --env "AFTERSEND_ADMIN=127.0.0.1:$port" --env AFTERSEND_GATEWAY_DRAIN_DELAY=0s --env CUSTOMERIO_WEBHOOK_SIGNING_KEY=key aftersend:verify gateway
    local until=$((SECONDS + 30))
    until python3 -c "import urllib.request; urllib.request.urlopen('http://127.0.0.1:$port/livez', timeout=2)" 2>/dev/null; do
        [ $SECONDS -lt $until ] || { podman logs aftersend-verify; return 1; }
        sleep 0.2
    done
    podman stop --time 60 aftersend-verify
    code=$(podman inspect --format '{{.State.ExitCode}}' aftersend-verify)
    podman logs --tail 5 aftersend-verify
    podman rm aftersend-verify
    [ "$code" = 0 ]
}

# A new volume belongs to the user that writes to it.
image_volume() {
    podman volume create aftersend-verify
    podman run --rm "${restricted[@]}" --volume aftersend-verify:/var/lib/aftersend aftersend:verify --version
    [ "$(stat --format %u:%g "$(podman volume inspect --format '{{.Mountpoint}}' aftersend-verify)")" = 65532:65532 ]
}

image_down() {
    podman rm --force aftersend-verify
    podman volume rm --force aftersend-verify
    buildah rm --all
    podman rmi --all --force
} >/dev/null 2>&1
