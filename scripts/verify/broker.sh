# shellcheck shell=bash
# One Kafka node on loopback, of the jars that services/devkit runs on. `$broker` is its address.

# jars_of POM: its libraries; `$jars` is their folder.
jars_of() {
    jars=$cache/jars-$(hash_of "$1")
    [ -e "$jars/complete" ] && return 0
    say "resolving the jars of $1 (once)"
    mvn --quiet --batch-mode --file "$1" dependency:copy-dependencies -DoutputDirectory="$jars" >&2 || return 1
    touch "$jars/complete"
}

broker_up() {
    local folder data port controller jars
    jars_of services/devkit/kafka/pom.xml || return 1
    broker_version=$(basename "$jars"/kafka-clients-*.jar .jar | sed 's/kafka-clients-//')
    folder=$work/kafka
    data=$folder/data
    mkdir -p "$folder"
    read -r port controller < <(python3 - <<'P'
import socket
sockets = [socket.socket() for _ in range(2)]
for it in sockets:
    it.bind(("127.0.0.1", 0))
print(*[it.getsockname()[1] for it in sockets])
P
    )
    cat >"$folder/server.properties" <<P
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$port
log.dirs=$data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
P
    java -cp "$jars/*" kafka.tools.StorageTool format -t "$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=')" \
        -c "$folder/server.properties" >"$folder/format.log" 2>&1 || { cat "$folder/format.log" >&2; return 1; }
    java -Xmx256m -cp "$jars/*" kafka.Kafka "$folder/server.properties" >"$folder/log" 2>&1 </dev/null &
    broker_process=$!
    cleanups+=(broker_down)
    local until=$((SECONDS + 60))
    until grep -q 'Kafka Server started' "$folder/log"; do
        if ! kill -0 $broker_process 2>/dev/null || [ $SECONDS -ge $until ]; then
            tail -n 20 "$folder/log" >&2
            return 1
        fi
        sleep 0.2
    done
    broker=127.0.0.1:$port
}

broker_down() {
    kill "$broker_process" 2>/dev/null
    wait "$broker_process" 2>/dev/null
}
