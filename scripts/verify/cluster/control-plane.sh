# shellcheck shell=bash
# A real control plane on loopback: etcd, API server, controllers, scheduler, and kwok's stand-in nodes. Sourced by tier3.sh.
# The programs are $etcd, $kwok, $apiserver, $controllers, $scheduler and $kubectl; all state is in $state.

processes=()

control_plane_up() {
    state=$work/cluster
    mkdir -p "$state/pki"
    read -r api_port etcd_port peer_port kubelet_port < <(free_ports 4)
    certificates
    kubeconfig admin
    kubeconfig controllers
    kubeconfig scheduler
    export KUBECONFIG=$state/admin.kubeconfig
    sed -e "s|@STATE@|$state|" -e "s|@KUBELET@|v$kubernetes_version|" "$here/cluster/stand-in.yaml" >"$state/stand-in.yaml"
    # As a container runtime writes it, else kwok refuses the file.
    echo "$(date -u +%Y-%m-%dT%H:%M:%S.000000000Z) stdout F stand-in node: no container was run" >"$state/pod.log"

    start etcd "$etcd" --name stand-in --data-dir "$state/etcd" --unsafe-no-fsync --log-level error \
        --listen-client-urls "http://127.0.0.1:$etcd_port" --advertise-client-urls "http://127.0.0.1:$etcd_port" \
        --listen-peer-urls "http://127.0.0.1:$peer_port" --initial-advertise-peer-urls "http://127.0.0.1:$peer_port" \
        --initial-cluster "stand-in=http://127.0.0.1:$peer_port"
    # The reconciler would advertise an address of the machine's network.
    start apiserver "$apiserver" --etcd-servers="http://127.0.0.1:$etcd_port" --bind-address=127.0.0.1 --advertise-address=127.0.0.1 \
        --secure-port="$api_port" --endpoint-reconciler-type=none --allow-privileged=true --authorization-mode=Node,RBAC \
        --tls-cert-file="$state/pki/apiserver.crt" --tls-private-key-file="$state/pki/apiserver.key" --client-ca-file="$state/pki/ca.crt" \
        --service-account-key-file="$state/pki/accounts.pub" --service-account-signing-key-file="$state/pki/accounts.key" \
        --service-account-issuer=https://kubernetes.default.svc --service-cluster-ip-range=10.96.0.0/16 \
        --kubelet-preferred-address-types=InternalIP
    await 120 apiserver "$kubectl" get --raw /readyz
    start controllers "$controllers" --kubeconfig="$state/controllers.kubeconfig" --secure-port=0 --leader-elect=false \
        --use-service-account-credentials=true --service-account-private-key-file="$state/pki/accounts.key" --root-ca-file="$state/pki/ca.crt" \
        --enable-hostpath-provisioner=true
    start scheduler "$scheduler" --kubeconfig="$state/scheduler.kubeconfig" --secure-port=0 --leader-elect=false
    nodes_and_storage | "$kubectl" apply --filename - >/dev/null
    start kwok "$kwok" --kubeconfig="$KUBECONFIG" --config="$state/stand-in.yaml" --manage-all-nodes=true --cidr=10.244.0.0/16 \
        --node-ip=127.0.0.1 --node-port="$kubelet_port" --server-address="127.0.0.1:$kubelet_port" \
        --tls-cert-file="$state/pki/kubelet.crt" --tls-private-key-file="$state/pki/kubelet.key" --node-lease-duration-seconds=40
    await 60 controllers "$kubectl" get serviceaccount default
    await 60 kwok "$kubectl" wait --for=condition=Ready nodes --all --timeout=5s
}

control_plane_down() {
    local index path
    # Folders that the host-path provisioner made for our volumes.
    while read -r path; do
        case $path in /tmp/hostpath_pv/*-*) rm -rf "$path" ;; esac
    done < <("$kubectl" get persistentvolumes --request-timeout=5s --output jsonpath='{range .items[*]}{.spec.hostPath.path}{"\n"}{end}' 2>/dev/null || true)
    rmdir /tmp/hostpath_pv 2>/dev/null || true
    for ((index = ${#processes[@]} - 1; index >= 0; index--)); do
        kill "${processes[index]}" 2>/dev/null || true
        wait "${processes[index]}" 2>/dev/null || true
    done
    processes=()
}

# start NAME COMMAND…
start() {
    local name=$1
    shift
    "$@" >"$state/$name.log" 2>&1 </dev/null &
    processes+=($!)
    echo $! >"$state/$name.pid"
}

# await SECONDS PROCESS COMMAND…: until the command succeeds, as long as the process lives.
await() {
    local until=$((SECONDS + $1)) process=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        if ! kill -0 "$(cat "$state/$process.pid")" 2>/dev/null || [ $SECONDS -ge $until ]; then
            echo "$process: no success of $*"
            tail -n 20 "$state/$process.log"
            return 1
        fi
        sleep 0.3
    done
}

free_ports() {
    python3 - "$1" <<'P'
import socket, sys
sockets = [socket.socket() for _ in range(int(sys.argv[1]))]
for it in sockets:
    it.bind(("127.0.0.1", 0))
print(*[it.getsockname()[1] for it in sockets])
P
}

certificates() {
    local pki=$state/pki
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 7 -keyout "$pki/ca.key" -out "$pki/ca.crt" -subj /CN=stand-in 2>/dev/null
    openssl genrsa -out "$pki/accounts.key" 2048 2>/dev/null
    openssl rsa -in "$pki/accounts.key" -pubout -out "$pki/accounts.pub" 2>/dev/null
    certificate apiserver /CN=kube-apiserver IP:127.0.0.1,IP:10.96.0.1,DNS:localhost,DNS:kubernetes.default.svc
    certificate kubelet /CN=kwok IP:127.0.0.1
    certificate admin /O=system:masters/CN=admin
    certificate controllers /CN=system:kube-controller-manager
    certificate scheduler /CN=system:kube-scheduler
}

# certificate NAME SUBJECT [NAMES]
certificate() {
    local pki=$state/pki
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$pki/$1.key" -out "$pki/$1.csr" -subj "$2" 2>/dev/null
    openssl x509 -req -in "$pki/$1.csr" -CA "$pki/ca.crt" -CAkey "$pki/ca.key" -CAcreateserial -days 7 -out "$pki/$1.crt" \
        -extfile <(printf 'basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth,clientAuth\n%s\n' "${3:+subjectAltName=$3}") 2>/dev/null
}

# kubeconfig NAME: of the certificate of that name.
kubeconfig() {
    (
        umask 077
        cat >"$state/$1.kubeconfig" <<Y
apiVersion: v1
kind: Config
clusters: [{name: local, cluster: {server: "https://127.0.0.1:$api_port", certificate-authority: $state/pki/ca.crt}}]
users: [{name: local, user: {client-certificate: $state/pki/$1.crt, client-key: $state/pki/$1.key}}]
contexts: [{name: local, context: {cluster: local, user: local}}]
current-context: local
Y
    )
}

nodes_and_storage() {
    local number
    for number in 0 1 2; do
        cat <<Y
apiVersion: v1
kind: Node
metadata:
  name: stand-in-$number
  labels: {kubernetes.io/hostname: stand-in-$number, kubernetes.io/os: linux, kubernetes.io/arch: amd64, topology.kubernetes.io/region: local, topology.kubernetes.io/zone: zone-$number}
  annotations: {kwok.x-k8s.io/node: fake, node.alpha.kubernetes.io/ttl: "0"}
---
Y
    done
    cat <<'Y'
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: standard, annotations: {storageclass.kubernetes.io/is-default-class: "true"}}
provisioner: kubernetes.io/host-path
reclaimPolicy: Delete
volumeBindingMode: Immediate
Y
}
