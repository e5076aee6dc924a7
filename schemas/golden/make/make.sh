#!/bin/sh
# Makes the golden files of the folder above with two implementations that share no code with ours:
# Apache's Java libraries (kafka-clients, avro) and Python's fastavro. Wherever both can speak, they must agree,
# or nothing is written.
#
# Needs Java 17, Maven and Python 3.9 or later, and their package registries. Run it after a change in ../avro:
#   schemas/golden/make/make.sh
# GOLDEN_BUILD names a folder for the libraries (default: a fresh temporary one, removed at the end).
set -eu

here=$(cd "$(dirname "$0")" && pwd)
golden=$(dirname "$here")
avro=$(dirname "$golden")/avro
if [ -n "${GOLDEN_BUILD:-}" ]; then
    build=$GOLDEN_BUILD
    mkdir -p "$build"
else
    build=$(mktemp -d)
    trap 'rm -rf "$build"' EXIT
fi

[ -d "$build/jars" ] || mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$build/jars"
[ -x "$build/venv/bin/python" ] || "${PYTHON:-python3}" -m venv "$build/venv"
"$build/venv/bin/python" -m pip install -q fastavro==1.12.0

python="$build/venv/bin/python -B"
$python "$here/inputs.py" keys > "$build/keys.jsonl"
$python "$here/inputs.py" values "$avro" > "$build/values.jsonl"
for subject in murmur2:keys fingerprints:values records:values; do
    java -cp "$build/jars/*" "$here/Golden.java" "${subject%:*}" "$avro" \
        < "$build/${subject#*:}.jsonl" > "$build/${subject%:*}.jsonl"
done
$python "$here/agree.py" "$avro" "$build" "$golden"
