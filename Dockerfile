# syntax=docker/dockerfile:1.19

# One image for every role: `docker build .`. The subcommand (gateway, processor, sink customerio, …) decides what it is.
# A second one, `docker build --target demo .`, adds aftersend-demo, whose simulator stands in for Customer.io.
#
# The first build compiles RocksDB and librdkafka: about 15 minutes on two cores, once. Later builds find them in a cache mount.

ARG RUST=1.95.0
ARG DEBIAN=trixie
# The runtime image is the same Debian release: glibc, libstdc++, OpenSSL and zlib are linked dynamically, so that a fix of OpenSSL
# is a newer base image and no release of ours. scripts/verify holds what the binary needs against what that image brings.
ARG RUNTIME=gcr.io/distroless/cc-debian13:nonroot

FROM rust:${RUST}-${DEBIAN} AS toolchain
# Versions of Debian's packages are those of the release that the tag names: a pinned one disappears from the archive with the next fix.
# hadolint ignore=DL3008
RUN --mount=type=cache,target=/var/cache/apt,sharing=locked \
    --mount=type=cache,target=/var/lib/apt,sharing=locked \
    apt-get update && \
    apt-get install --yes --no-install-recommends cmake libclang-dev libssl-dev pkg-config zlib1g-dev && \
    mkdir /data
WORKDIR /src
ENV CARGO_TARGET_DIR=/target

FROM toolchain AS build
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/target,sharing=locked \
    cargo build --release --locked --package aftersend && \
    install -D --strip /target/release/aftersend /out/aftersend

FROM build AS build-demo
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/target,sharing=locked \
    cargo build --release --locked --package aftersend-demo && \
    install -D --strip /target/release/aftersend-demo /out/aftersend-demo

FROM ${RUNTIME} AS runtime
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="aftersend" \
      org.opencontainers.image.description="The truth layer for message outcomes: Customer.io's webhooks in, each outcome out exactly once" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# Before WORKDIR, which would make it for root. A new volume takes the owner of the folder that it is mounted on.
COPY --from=toolchain --chown=65532:65532 /data /var/lib/aftersend
# By number: Kubernetes' runAsNonRoot can't judge a name.
USER 65532:65532
WORKDIR /var/lib/aftersend
# 8080 webhooks (gateway), 9464 /livez, /readyz and /metrics. The admin port is on loopback until AFTERSEND_ADMIN says otherwise.
EXPOSE 8080 9464
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/aftersend"]
CMD ["--help"]

FROM runtime AS demo
# The demo runs each role as a process of its own, from the binary beside it.
COPY --from=build /out/aftersend /usr/local/bin/aftersend
COPY --from=build-demo /out/aftersend-demo /usr/local/bin/aftersend-demo
RUN ["/usr/local/bin/aftersend-demo", "--version"]
ENTRYPOINT ["/usr/local/bin/aftersend-demo"]

# The last stage is the default.
FROM runtime AS aftersend
COPY --from=build /out/aftersend /usr/local/bin/aftersend
# Fails the build where the base image lacks a library that the binary needs.
RUN ["/usr/local/bin/aftersend", "--version"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["/usr/local/bin/aftersend", "healthcheck"]
